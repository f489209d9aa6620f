"""The gold turns that the local detector is fitted on, out of the tables of `read_gold`."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import GOLD
from feedback_lens.logs.conversation import Conversation, read_conversations
from feedback_lens.tables import read_rows

Key = tuple[str, int]
_COLUMNS = ["annotator", "conversation_id", "turn", "label", "log_conversation_id"]
# a conversation of the log, the messages of a turn and the exchange before it, and which one it is
# of those in that conversation that read the same
_Place = tuple[str, tuple[str, ...], int]


@dataclass(frozen=True)
class FittingGold:
    """What the detector is fitted on.

    `labels` is the gold label of each annotated turn, keyed as detectors see it. `origins` names
    the conversation of the log behind each exchange that a gold set, named or not, cut out of one.
    """

    conversations: list[Conversation]
    labels: Mapping[Key, str]
    origins: Mapping[str, str]


def read_fitting_gold(
    folder: Path, gold_sets: Sequence[str], known: Collection[str]
) -> FittingGold:
    """The conversations of some gold sets and the gold label of each annotated turn.

    `known` are the sets that there are: the folder may hold others, of entries taken out since.

    A turn that stands in several sets, whole or cut out of its conversation, counts once: that of
    the set named first stays. It is the same turn where the conversation of the log is, and the
    text of the turn and of the exchange before it.

    Raises:
        InputError: no set is named, a set does not exist, or one id names two conversations.
    """
    if not gold_sets:
        raise InputError("fit_detector.gold_sets: names no gold set; name one of gold_sets")
    conversations: dict[str, Conversation] = {}
    labels: dict[Key, str] = {}
    taken: set[_Place] = set()
    for name in gold_sets:
        _check_set(folder, name, known)
        for conversation in read_conversations(folder / name / "conversations.parquet"):
            _add(conversation, conversations, name)
        gold = {
            (row["conversation_id"], row["turn"]): row
            for row in read_rows(folder / name / "labels.parquet", _COLUMNS)
            if row["annotator"] == GOLD
        }
        places = _place_turns(gold, conversations)
        for key, row in gold.items():
            if key not in labels and places[key] not in taken:
                labels[key] = row["label"]
        taken.update(places.values())
    return FittingGold(list(conversations.values()), labels, _read_origins(folder, known))


def _place_turns(
    gold: Mapping[Key, Mapping[str, Any]], conversations: Mapping[str, Conversation]
) -> dict[Key, _Place]:
    """Where the turns of one set stand in the log; no two of them stand in one place."""
    places: dict[Key, _Place] = {}
    alike: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for key, row in gold.items():
        identifier, turn = key
        messages = conversations[identifier].messages if identifier in conversations else ()
        exchange = tuple(message.content for message in messages[2 * turn - 4 : 2 * turn - 1])
        text = row["log_conversation_id"], exchange
        alike[text] += 1
        places[key] = (*text, alike[text])
    return places


def _read_origins(folder: Path, known: Collection[str]) -> dict[str, str]:
    """Those of all sets: a detector labels the sets, too, that it was not fitted on."""
    columns = ["conversation_id", "log_conversation_id"]
    return {
        row["conversation_id"]: row["log_conversation_id"]
        for path in sorted(folder.glob("*/labels.parquet"))
        if path.parent.name in known
        for row in read_rows(path, columns)
        if row["conversation_id"] != row["log_conversation_id"]
    }


def _check_set(folder: Path, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise InputError(
            f"fit_detector.gold_sets: {name!r} is no gold set; gold_sets has "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    if not (folder / name).is_dir():
        raise InputError(f"{folder / name}: no such folder; `dvc repro read_gold` makes it")


def _add(conversation: Conversation, known: dict[str, Conversation], name: str) -> None:
    other = known.setdefault(conversation.conversation_id, conversation)
    if other.messages != conversation.messages:
        raise InputError(
            f"fit_detector.gold_sets: {name}: conversation {conversation.conversation_id!r} is "
            "another than that of the same id in a set named before; give each an id of its own"
        )
