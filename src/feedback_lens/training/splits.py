"""Splits of sub-conversations s_i = (u_i, m_i, u_(i+1), m_(i+1)).

D_neg: u_(i+1) is negative feedback; D_pos: it is positive; D_rand: any.
Source: paper section 5 (unique conversations).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

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


def split_by_feedback(
    conversations: Iterable[Conversation],
    labels: Mapping[tuple[str, int], str | None],
    sizes: Mapping[str, int],
    salt: str,
) -> list[dict[str, Any]]:
    """Draw `neg`, `pos` and `rand`, at most `sizes[split]` rows each, one row a conversation.

    The draw goes by a hash of salt, split, conversation and turn: adding conversations does not
    reshuffle the others, and a smaller size is a part of the larger one. A turn whose label is
    null (unreadable) can be drawn by `rand` alone. Rows follow the schema `SPLITS`, ordered by
    split, then by hash.
    """
    best: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for conversation in conversations:
        for row in cut_sub_conversations(conversation):
            label = labels.get((row["conversation_id"], row["turn"] + 1))
            for split in _name_splits(label):
                rank = _hash(salt, split, row["conversation_id"], str(row["turn"]))
                key = (split, row["conversation_id"])
                if key not in best or rank < best[key][0]:
                    best[key] = (rank, {"split": split, **row, "label": label})
    return [row for split in sizes for row in _draw(best, split, sizes[split])]


def _draw(
    best: Mapping[tuple[str, str], tuple[str, dict[str, Any]]], split: str, size: int
) -> list[dict[str, Any]]:
    ranked = sorted(
        (pair for (name, _), pair in best.items() if name == split), key=lambda pair: pair[0]
    )
    return [row for _, row in ranked[:size]]


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
