"""The gold turns that the local detector is fitted on, out of the tables of `read_gold`."""

from collections.abc import Sequence
from pathlib import Path

from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import GOLD
from feedback_lens.feedback.local.folds import locate_in_log
from feedback_lens.logs.conversation import Conversation, read_conversations
from feedback_lens.tables import read_rows

Key = tuple[str, int]
_COLUMNS = ["annotator", "conversation_id", "turn", "label"]


def read_fitting_gold(
    folder: Path, gold_sets: Sequence[str]
) -> tuple[list[Conversation], dict[Key, str]]:
    """The conversations of some gold sets and the gold label of each annotated turn.

    A turn that stands in several sets, whole or cut out of its conversation, counts once: that of
    the set named first stays.

    Raises:
        InputError: no set is named, a set does not exist, or one id names two conversations.
    """
    if not gold_sets:
        raise InputError("fit_detector.gold_sets: names no gold set; name one of gold_sets")
    conversations: dict[str, Conversation] = {}
    labels: dict[Key, tuple[Key, str]] = {}  # by conversation and turn of the log
    for name in gold_sets:
        _check_set(folder, name)
        for conversation in read_conversations(folder / name / "conversations.parquet"):
            _add(conversation, conversations, name)
        for row in read_rows(folder / name / "labels.parquet", _COLUMNS):
            key = row["conversation_id"], row["turn"]
            if row["annotator"] == GOLD:
                labels.setdefault(locate_in_log(*key), (key, row["label"]))
    return list(conversations.values()), dict(labels.values())


def _check_set(folder: Path, name: str) -> None:
    if not (folder / name).is_dir():
        known = sorted(path.name for path in folder.glob("*") if path.is_dir())
        raise InputError(
            f"fit_detector.gold_sets: {name!r} is no gold set; gold_sets has "
            f"{', '.join(known) or 'none'} (`dvc repro read_gold` makes them)"
        )


def _add(conversation: Conversation, known: dict[str, Conversation], name: str) -> None:
    other = known.setdefault(conversation.conversation_id, conversation)
    if other.messages != conversation.messages:
        raise InputError(
            f"fit_detector.gold_sets: {name}: conversation {conversation.conversation_id!r} is "
            "another than that of the same id in a set named before; give each an id of its own"
        )
