"""A very tiny model that is built for real, in about two seconds, for the tests that need one."""

from pathlib import Path

from feedback_lens.logs.conversation import Conversation, Message
from feedback_lens.training.tiny import BaseSettings, train_base

SETTINGS = BaseSettings(
    vocabulary=300,
    width=32,
    layers=1,
    heads=2,
    context=96,
    steps=15,
    batch=4,
    learning_rate=0.01,
    seed=1,
)


def make_conversations(count: int) -> list[Conversation]:
    """Conversations of two turns about numbers."""
    return [
        Conversation(
            conversation_id=f"c{index}",
            corpus="made",
            model=None,
            language=None,
            user_id=None,
            timestamp=None,
            toxic=None,
            redacted=None,
            messages=(
                Message("user", f"What comes after {index}?"),
                Message("assistant", f"After {index} comes {index + 1}."),
                Message("user", "And then?\nTell me."),
                Message("assistant", f"Then comes {index + 2}.\n\nAnd so on."),
            ),
        )
        for index in range(count)
    ]


def build_tiny_model(folder: Path) -> Path:
    """Train the very tiny base model into `folder` and return the folder."""
    train_base(make_conversations(40), "very_tiny", SETTINGS, folder)
    return folder
