"""The conversations that the page shows, with all that the pipeline found out about them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from feedback_lens.logs.conversation import Conversation, read_conversations
from feedback_lens.report.inputs import Run
from feedback_lens.tables import read_rows

Key = tuple[str, int]
Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Findings:
    """What is known of one corpus' turns, by conversation and turn."""

    labels: Mapping[Key, Mapping[str, Any]]
    splits: Mapping[Key, list[str]]
    replies: Mapping[Key, list[dict[str, Any]]]
    scores: Mapping[Key, dict[str, dict[str, list[float | None]]]]


def read_shown(
    run: Run,
    conversations: Path,
    labels: Path,
    splits: Path,
    replies: Path,
    scores: Path,
    limit: int,
) -> list[dict[str, Any]]:
    """The first `limit` conversations of each corpus as `show_conversation` gives them.

    Raises:
        InputError: a table of a corpus is missing or unreadable, with its name.
    """
    shown = []
    for corpus in run.corpora:
        findings = index_findings(
            labels=read_rows(labels / corpus / f"{run.detector}.parquet"),
            splits=read_rows(splits / f"{corpus}.parquet", ["split", "conversation_id", "turn"]),
            replies={
                name: read_rows(replies / corpus / f"{name}.parquet") for name in run.regenerations
            },
            scores=read_rows(scores / f"{corpus}.parquet"),
        )
        source = read_conversations(conversations / f"{corpus}.parquet")
        shown += [show_conversation(c, findings) for c in islice(source, limit)]
    return shown


def index_findings(
    labels: Rows, splits: Rows, replies: Mapping[str, Rows], scores: Rows
) -> Findings:
    """Rows of the tables of one corpus, by conversation and turn."""
    drawn: dict[Key, list[str]] = {}
    for row in splits:
        drawn.setdefault(_key(row), []).append(row["split"])
    written: dict[Key, list[dict[str, Any]]] = {}
    for name, rows in replies.items():
        for row in rows:
            reply = {"name": name, "text": row["reply"]}
            reply |= {"outcome": row["outcome"], "model": row["model"]}
            written.setdefault(_key(row), []).append(reply)
    return Findings({_key(row): row for row in labels}, drawn, written, _index_scores(scores))


def show_conversation(conversation: Conversation, findings: Findings) -> dict[str, Any]:
    """One conversation for the browser: `id`, `corpus`, `model` and `turns`.

    A turn has `user`, `reply` (null where the log ends), `label`, `confidence` and `outcome`
    (from the second turn on), `splits` that drew it, `replies` (regenerated) and `scores`
    (split -> candidate -> reward without and with the feedback).
    """
    return {
        "id": conversation.conversation_id,
        "corpus": conversation.corpus,
        "model": conversation.model,
        "turns": list(_show_turns(conversation, findings)),
    }


def _show_turns(conversation: Conversation, findings: Findings) -> Iterator[dict[str, Any]]:
    replies = conversation.replies
    for turn, user in enumerate(conversation.user_turns, start=1):
        key = conversation.conversation_id, turn
        label = findings.labels.get(key, {})
        yield {
            "user": user,
            "reply": replies[turn - 1] if turn <= len(replies) else None,
            **{name: label.get(name) for name in ("label", "confidence", "outcome")},
            "splits": findings.splits.get(key, []),
            "replies": findings.replies.get(key, []),
            "scores": findings.scores.get(key, {}),
        }


def _index_scores(rows: Rows) -> dict[Key, dict[str, dict[str, list[float | None]]]]:
    index: dict[Key, dict[str, dict[str, list[float | None]]]] = {}
    for row in rows:
        candidates = index.setdefault(_key(row), {}).setdefault(row["split"], {})
        pair = candidates.setdefault(row["candidate"], [None, None])
        pair[row["with_feedback"]] = None if row["score"] is None else round(row["score"], 3)
    return index


def _key(row: Mapping[str, Any]) -> Key:
    return row["conversation_id"], row["turn"]
