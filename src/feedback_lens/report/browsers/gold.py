"""What annotators and detectors said of turns of gold sets, for the conversations on the page."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.feedback.gold.sets import name_exchange
from feedback_lens.logs.conversation import read_conversations
from feedback_lens.tables import stream_rows

Key = tuple[str, int]


@dataclass(frozen=True)
class Annotation:
    """The label that annotators gave a turn, and what each detector said of it in that gold set.

    `said` goes from a detector to its row of `LABELS`.
    """

    gold: str
    gold_set: str
    said: dict[str, Mapping[str, Any]] = field(default_factory=dict)


Annotations = Mapping[tuple[str, int, str], Annotation]


def read_annotations(axes: Axes, data: Path, identifiers: Container[str]) -> Annotations:
    """The annotated turns of these conversations, by conversation, turn and the user's text.

    The text is part of the key, as two logs may number their conversations alike. Where several
    gold sets hold a turn, the first one speaks.

    Raises:
        InputError: a table of a gold set is missing or unreadable, with its name.
    """
    found: dict[tuple[str, int, str], Annotation] = {}
    for name in axes.gold_sets:
        keys, own = _read_gold(axes, data, name, identifiers)
        for detector in axes.detectors:
            for row in stream_rows(data / f"gold_labels/{name}/{detector}.parquet"):
                if key := keys.get((row["conversation_id"], row["turn"])):
                    own[key].said[detector] = row
        found = own | found
    return found


def _read_gold(
    axes: Axes, data: Path, name: str, identifiers: Container[str]
) -> tuple[dict[Key, tuple[str, int, str]], dict[tuple[str, int, str], Annotation]]:
    """The turns of one gold set: their keys by those that detectors see, and their gold."""
    folder = data / "gold_sets" / name
    rows = {}
    for row in stream_rows(folder / "turns.parquet"):
        if row["conversation_id"] in identifiers:
            key = row["conversation_id"], row["turn"]
            rows[key if axes.gold_sets[name] == "dense" else name_exchange(*key)] = row
    seen = {identifier for identifier, _ in rows}
    texts = {
        c.conversation_id: c.user_turns
        for c in read_conversations(folder / "conversations.parquet")
        if c.conversation_id in seen
    }
    keys = {
        (identifier, turn): (row["conversation_id"], row["turn"], texts[identifier][turn - 1])
        for (identifier, turn), row in rows.items()
    }
    return keys, {keys[key]: Annotation(row["label"], name) for key, row in rows.items()}
