"""Splits of sub-conversations s_i = (u_i, m_i, u_(i+1), m_(i+1)).

D_neg: u_(i+1) is negative feedback; D_pos: it is positive; D_rand: any.
Source: paper section 5 (unique conversations).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import NEGATIVE, POSITIVE
from feedback_lens.logs.conversation import Conversation

SPLITS = pa.schema(
    [
        ("split", pa.string()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("prompt", pa.string()),
        ("reply", pa.string()),
        ("feedback", pa.string()),
        ("next_reply", pa.string()),
        ("label", pa.string()),
    ]
)

# rows that are held for each row to be drawn, before the others are let go
SPARE = 4
Ranked = tuple[str, dict[str, Any]]


def cut_sub_conversations(conversation: Conversation) -> Iterator[dict[str, Any]]:
    """All sub-conversations of a conversation, `turn` being i, without split and label."""
    users, replies = conversation.user_turns, conversation.replies
    for i in range(1, min(len(users), len(replies))):
        yield {
            "conversation_id": conversation.conversation_id,
            "turn": i,
            "prompt": users[i - 1],
            "reply": replies[i - 1],
            "feedback": users[i],
            "next_reply": replies[i],
        }


def pair_with_labels(
    conversations: Iterable[Conversation], labels: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[Conversation, dict[int, str | None]]]:
    """Each conversation with its labels by turn; both tables stand in one order and are streamed.

    Raises:
        InputError: a label belongs to no conversation, or stands out of order.
    """
    groups = groupby(labels, key=itemgetter("conversation_id"))
    identifier, rows = next(groups, (None, iter(())))
    for conversation in conversations:
        found = {}
        if identifier == conversation.conversation_id:
            found = {row["turn"]: row["label"] for row in rows}
            identifier, rows = next(groups, (None, iter(())))
        yield conversation, found
    if identifier is not None:
        raise InputError(
            f"split: the labels of conversation {identifier!r} are not where the corpus has it; "
            "make both tables again: dvc repro --force ingest label"
        )


def split_by_feedback(
    labeled: Iterable[tuple[Conversation, Mapping[int, str | None]]],
    sizes: Mapping[str, int],
    salt: str,
) -> list[dict[str, Any]]:
    """Draw `neg`, `pos` and `rand`, at most `sizes[split]` rows each, one row a conversation.

    The draw goes by a hash of salt, split, conversation and turn: adding conversations does not
    reshuffle the others, and a smaller size is a part of the larger one. A turn whose label is
    null (unreadable, or abstained from) can be drawn by `rand` alone. Rows follow the schema
    `SPLITS`, ordered by split, then by hash. Memory grows with the sizes, not with the log.
    """
    drawn: dict[str, list[Ranked]] = {split: [] for split in sizes}
    for conversation, labels in labeled:
        ranked = _rank(conversation, labels, salt)
        for split in drawn.keys() & ranked.keys():
            drawn[split].append(ranked[split])
            if len(drawn[split]) > SPARE * (sizes[split] + 1):
                drawn[split] = _first(drawn[split], sizes[split])
    return [row for split in sizes for _, row in _first(drawn[split], sizes[split])]


def _rank(
    conversation: Conversation, labels: Mapping[int, str | None], salt: str
) -> dict[str, Ranked]:
    """By split, the conversation's row that comes first, with its rank."""
    best: dict[str, Ranked] = {}
    for row in cut_sub_conversations(conversation):
        label = labels.get(row["turn"] + 1)
        for split in _name_splits(label):
            rank = _hash(salt, split, row["conversation_id"], str(row["turn"]))
            if split not in best or rank < best[split][0]:
                best[split] = (rank, {"split": split, **row, "label": label})
    return best


def _first(ranked: Iterable[Ranked], size: int) -> list[Ranked]:
    return sorted(ranked, key=itemgetter(0))[:size]


def _name_splits(label: str | None) -> list[str]:
    if label in NEGATIVE:
        return ["neg", "rand"]
    return ["pos", "rand"] if label == POSITIVE else ["rand"]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def count_splits(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows of each split, in all and by the label of the turn that answers the reply."""
    counts: dict[str, Any] = {}
    for row in rows:
        split = counts.setdefault(row["split"], {"rows": 0, "labels": {}})
        split["rows"] += 1
        label = row["label"] or "unlabeled"
        split["labels"][label] = split["labels"].get(label, 0) + 1
    return counts
