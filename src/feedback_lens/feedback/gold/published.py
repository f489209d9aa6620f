"""The labels inside the published gold sets, aligned with the user turns that they speak of.

A row lists labels and, beside each, the text of its user turn, which is blank for most turns
without feedback. In the dense sets the list follows user turns 2..n, but three conversations have
more or fewer entries; in the sparse sets it holds turns with feedback alone. An entry is placed
where its turn is certain and is counted, never guessed, where it is not.

Source: yuhan-nlp/multiturn-feedback.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from feedback_lens.feedback.gold.placement import place_in_order
from feedback_lens.feedback.labels import FINE
from feedback_lens.logs.conversation import Conversation
from feedback_lens.logs.formats import MalformedRow

OUTCOMES: Final = (
    "placed_by_text",
    "placed_by_position",  # a blank text, certain by its neighbors
    "repeated",  # the entry before once more
    "not_found",  # no turn after the first has this text
    "ambiguous",  # more than one turn may be meant
    "uncertain_gap",  # blank texts, not as many as turns between their neighbors
    "blank",  # a blank text in a sparse set
    "unknown_label",
)


class Entry(NamedTuple):
    """One label of a row and the text beside it, blanks evened out; labels null if unknown."""

    labels: tuple[str, ...] | None
    text: str


@dataclass(frozen=True)
class Alignment:
    """The labels of each turn (2 or later), and the entries by what became of them (`OUTCOMES`)."""

    labels: Mapping[int, tuple[str, ...]]
    outcomes: Mapping[str, int]


def read_entries(row: Mapping[str, Any]) -> list[Entry]:
    """The entries of a raw row; a dual label is a list or one string with `|` or `,` in it.

    Raises:
        MalformedRow: the row's labels are no lists of one length.
    """
    labels, texts = row.get("user_feedback_category"), row.get("user_feedback_text")
    if not isinstance(labels, list) or not isinstance(texts, list):
        raise MalformedRow("labels_are_no_list")
    if len(labels) != len(texts):
        raise MalformedRow("labels_and_texts_differ_in_number")
    if not all(text is None or isinstance(text, str) for text in texts):
        raise MalformedRow("labeled_text_is_no_text")
    return [
        Entry(_read_labels(label), even_blanks(text or ""))
        for label, text in zip(labels, texts, strict=True)
    ]


def align_entries(conversation: Conversation, entries: Sequence[Entry], setting: str) -> Alignment:
    """Place the entries of a conversation; `setting` is `dense` or `sparse`."""
    turns = [even_blanks(text) for text in conversation.user_turns[1:]]
    kept = _drop_repeated(entries, turns)
    outcomes = Counter({"repeated": len(entries) - len(kept)})
    if setting == "dense" and _fit_one_by_one(kept, turns):
        places: dict[int, int] = {index: index for index in range(len(kept))}
    else:
        places = _place_texts(kept, turns)
        if setting == "dense":
            places |= _fill_gaps(kept, places, len(turns))
    labels: dict[int, tuple[str, ...]] = {}
    for index, entry in enumerate(kept):
        outcomes[_name_outcome(entry, index in places, turns, setting)] += 1
        if index in places and entry.labels:
            labels[places[index] + 2] = entry.labels
    return Alignment(labels, {name: outcomes[name] for name in OUTCOMES})


def even_blanks(text: str) -> str:
    """The text with every run of blanks as one and none outside, as a log can be written."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _read_labels(value: Any) -> tuple[str, ...] | None:
    parts = re.split("[|,]", value) if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return None
    labels = tuple(part.strip() for part in parts)
    return labels if labels and set(labels) <= set(FINE) else None


def _drop_repeated(entries: Sequence[Entry], turns: Sequence[str]) -> list[Entry]:
    # not every pair of equal neighbors: a user may say the same twice
    surplus = Counter(entry.text for entry in entries)
    surplus.subtract(turns)
    kept: list[Entry] = []
    for entry in entries:
        if entry.text and kept and entry == kept[-1] and surplus[entry.text] > 0:
            surplus[entry.text] -= 1
        else:
            kept.append(entry)
    return kept


def _fit_one_by_one(entries: Sequence[Entry], turns: Sequence[str]) -> bool:
    return len(entries) == len(turns) and all(
        entry.text in ("", turn) for entry, turn in zip(entries, turns, strict=True)
    )


def _place_texts(entries: Sequence[Entry], turns: Sequence[str]) -> dict[int, int]:
    spoken = [index for index, entry in enumerate(entries) if entry.text]
    places = place_in_order([entries[index].text for index in spoken], turns)
    return {spoken[number]: turn for number, turn in places.items()}


def _fill_gaps(entries: Sequence[Entry], anchors: Mapping[int, int], turns: int) -> dict[int, int]:
    """Places of blank entries between two anchors that are as many as the turns between these."""
    filled: dict[int, int] = {}
    last, last_turn = -1, -1
    for index, turn in [*anchors.items(), (len(entries), turns)]:
        gap = range(last + 1, index)
        if len(gap) == turn - last_turn - 1 and not any(entries[i].text for i in gap):
            filled |= dict(zip(gap, range(last_turn + 1, turn), strict=True))
        last, last_turn = index, turn
    return filled


def _name_outcome(entry: Entry, placed: bool, turns: Sequence[str], setting: str) -> str:
    if placed and not entry.labels:
        return "unknown_label"
    if placed:
        return "placed_by_text" if entry.text else "placed_by_position"
    if not entry.text:
        return "uncertain_gap" if setting == "dense" else "blank"
    return "ambiguous" if entry.text in turns else "not_found"
