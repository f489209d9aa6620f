"""Splits of sub-conversations s_i = (u_i, m_i, u_(i+1), m_(i+1)).

D_neg: u_(i+1) is negative feedback; D_pos: it is positive; D_rand: any.
Source: paper section 5 (unique conversations).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import NEGATIVE, POSITIVE
from feedback_lens.logs.conversation import MESSAGE, Conversation

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
        ("user_id", pa.string()),
        ("earlier", pa.list_(MESSAGE)),
    ]
)

# rand comes first, so that it stays a fair sample of all conversations where splits are disjoint
_ORDER = ("rand", "pos", "neg")
# rows that are held for each row to be kept, before the others are let go
SPARE = 2
Ranked = tuple[str, dict[str, Any]]


def cut_sub_conversations(
    conversation: Conversation, earlier_turns: int | None
) -> Iterator[dict[str, Any]]:
    """All sub-conversations of a conversation, `turn` being i, without split and label.

    `earlier` holds the messages of the last `earlier_turns` exchanges before u_i (None: of all).
    """
    users, replies = conversation.user_turns, conversation.replies
    for i in range(1, min(len(users), len(replies))):
        first = 0 if earlier_turns is None else max(0, i - 1 - earlier_turns)
        earlier = conversation.messages[2 * first : 2 * (i - 1)]
        yield {
            "conversation_id": conversation.conversation_id,
            "turn": i,
            "prompt": users[i - 1],
            "reply": replies[i - 1],
            "feedback": users[i],
            "next_reply": replies[i],
            "user_id": conversation.user_id,
            "earlier": [{"role": m.role, "content": m.content} for m in earlier],
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
    disjoint: bool,
    earlier_turns: int | None,
) -> list[dict[str, Any]]:
    """Draw `neg`, `pos` and `rand`, at most `sizes[split]` rows each, one row a conversation.

    The draw goes by a hash of salt, split, conversation and turn: one more conversation changes at
    most one row of a split, and a smaller size is a part of the larger one. A turn whose label is
    null (unreadable, or abstained from) can be drawn by `rand` alone. Memory grows with the sizes,
    not with the log.

    With `disjoint` no conversation stands in two splits: `rand` is drawn first and stays a fair
    sample of all conversations, then `pos` of those that are left, then `neg`. There a smaller
    size is a part of the larger one as long as the splits that are drawn before keep their sizes.

    Returns:
        Rows of `SPLITS`, ordered by split as in `sizes`, then by hash.
    """
    kept = _count_kept(sizes, disjoint)
    drawn: dict[str, list[Ranked]] = {split: [] for split in sizes}
    for conversation, labels in labeled:
        ranked = _rank(conversation, labels, salt, earlier_turns)
        for split in drawn.keys() & ranked.keys():
            drawn[split].append(ranked[split])
            if len(drawn[split]) > SPARE * (kept[split] + 1):
                drawn[split] = _first(drawn[split], kept[split])
    ordered = {split: [row for _, row in _first(drawn[split], kept[split])] for split in kept}
    chosen = _choose(ordered, sizes, disjoint)
    return [row for split in sizes for row in chosen[split]]


def _count_kept(sizes: Mapping[str, int], disjoint: bool) -> dict[str, int]:
    """Rows to hold of each split: in disjoint ones those drawn before may take some away."""
    kept, taken = {}, 0
    for split in _ORDER:
        if split in sizes:
            kept[split] = sizes[split] + taken
            taken += sizes[split] if disjoint else 0
    return kept


def _choose(
    ordered: Mapping[str, Sequence[dict[str, Any]]], sizes: Mapping[str, int], disjoint: bool
) -> dict[str, list[dict[str, Any]]]:
    chosen: dict[str, list[dict[str, Any]]] = {}
    taken: set[str] = set()
    for split, rows in ordered.items():
        free = [row for row in rows if row["conversation_id"] not in taken]
        chosen[split] = free[: sizes[split]]
        if disjoint:
            taken.update(row["conversation_id"] for row in chosen[split])
    return chosen


def _rank(
    conversation: Conversation,
    labels: Mapping[int, str | None],
    salt: str,
    earlier_turns: int | None,
) -> dict[str, Ranked]:
    """By split, the conversation's row that comes first, with its rank."""
    best: dict[str, Ranked] = {}
    for row in cut_sub_conversations(conversation, earlier_turns):
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
    """Rows of each split, in all and by the label of the turn that answers the reply.

    `shared`: the conversations and users that it has in common with each later split; rows whose
    log does not tell the user are in no user count.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["split"], []).append(row)
    counts: dict[str, Any] = {
        split: {
            "rows": len(group),
            "labels": dict(Counter(row["label"] or "unlabeled" for row in group)),
            "shared": {},
        }
        for split, group in groups.items()
    }
    for one, other in combinations(groups, 2):
        counts[one]["shared"][other] = {
            name: len(_list_known(groups[one], key) & _list_known(groups[other], key))
            for name, key in (("conversations", "conversation_id"), ("users", "user_id"))
        }
    return counts


def _list_known(rows: Iterable[Mapping[str, Any]], key: str) -> set[str]:
    return {row[key] for row in rows if row[key] is not None}
