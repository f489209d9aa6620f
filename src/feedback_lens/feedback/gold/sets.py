"""Gold sets: conversations whose turns people labeled, as detectors see them.

In a `dense` set detectors see whole conversations. In a `sparse` set they see each annotated turn
i alone with the exchange before it, (u_(i-1), m_(i-1), u_i), as a conversation `<id>:<i>` of which
it is turn 2.

Source: paper sections 3.2 and 3.3.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from feedback_lens.feedback.gold.annotators import GOLD, Key
from feedback_lens.feedback.labels import reduce_labels
from feedback_lens.logs.conversation import Conversation

SETTINGS: Final = ("dense", "sparse")
GOLD_LABELS: Final = pa.schema(
    [
        ("annotator", pa.string()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("labels", pa.list_(pa.string())),
        ("label", pa.string()),
        ("log_conversation_id", pa.string()),
    ]
)
GOLD_TURNS: Final = pa.schema(
    [("conversation_id", pa.string()), ("turn", pa.int32()), ("label", pa.string())]
)
Annotations = Mapping[str, Mapping[Key, tuple[str, ...]]]  # by annotator


@dataclass(frozen=True)
class GoldSet:
    """The annotated conversations of a log and their annotations, ids and turns as in the log."""

    setting: str
    conversations: Mapping[str, Conversation]
    annotations: Annotations

    def list_inputs(self) -> Iterator[Conversation]:
        """The conversations as detectors see them, in the order of the log."""
        turns: dict[str, set[int]] = {}
        for identifier, turn in {key for labels in self.annotations.values() for key in labels}:
            turns.setdefault(identifier, set()).add(turn)
        for identifier, conversation in self.conversations.items():
            if self.setting == "dense":
                yield conversation
            else:
                yield from (cut_exchange(conversation, turn) for turn in sorted(turns[identifier]))

    def list_labels(self) -> Iterator[dict[str, Any]]:
        """Rows of `GOLD_LABELS`, one an annotator and turn, keyed as detectors see them."""
        for annotator, annotations in self.annotations.items():
            for key, labels in annotations.items():
                identifier, turn = key if self.setting == "dense" else name_exchange(*key)
                yield {
                    "annotator": annotator,
                    "conversation_id": identifier,
                    "turn": turn,
                    "labels": list(labels),
                    "label": reduce_labels(labels),
                    "log_conversation_id": key[0],
                }

    def list_turns(self) -> Iterator[dict[str, Any]]:
        """Rows of `GOLD_TURNS`: the gold label of each annotated turn, keyed as in the log."""
        for (identifier, turn), labels in self.annotations[GOLD].items():
            yield {"conversation_id": identifier, "turn": turn, "label": reduce_labels(labels)}

    def count(self) -> dict[str, Any]:
        """How much is annotated: `conversations` of the log, `turns` with gold, each annotator's.

        `annotators` holds for each the `turns` and, of these, the `dual_labeled`.
        """
        return {
            "conversations": len(self.conversations),
            "turns": len(self.annotations[GOLD]),
            "annotators": {
                name: {
                    "turns": len(labels),
                    "dual_labeled": sum(len(set(several)) > 1 for several in labels.values()),
                }
                for name, labels in self.annotations.items()
            },
        }


def cut_exchange(conversation: Conversation, turn: int) -> Conversation:
    """A user turn (2 or later) alone with the exchange before it, as conversation `<id>:<turn>`."""
    return replace(
        conversation,
        conversation_id=name_exchange(conversation.conversation_id, turn)[0],
        messages=conversation.messages[2 * turn - 4 : 2 * turn - 1],
    )


def name_exchange(conversation_id: str, turn: int) -> Key:
    """The key under which detectors see a turn that `cut_exchange` cut out."""
    return f"{conversation_id}:{turn}", 2
