"""The conversations that the page shows, with all that the pipeline found out about them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.logs.conversation import Conversation, read_conversations
from feedback_lens.report.browsers.gold import GoldTurns, read_gold_turns
from feedback_lens.tables import stream_rows

Key = tuple[str, int]
Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Findings:
    """What is known of one corpus' turns, by conversation and turn."""

    labels: Mapping[Key, Mapping[str, Any]]
    splits: Mapping[Key, list[str]]
    replies: Mapping[Key, list[dict[str, Any]]]
    scores: Mapping[Key, dict[str, dict[str, list[float | None]]]]


def read_shown(axes: Axes, data: Path, limit: int) -> list[dict[str, Any]]:
    """The first `limit` conversations of each corpus as `show_conversation` gives them.

    Raises:
        InputError: a table of a corpus is missing or unreadable, with its name.
    """
    gold = read_gold_turns(data / "gold_sets", axes.gold_sets)
    shown = []
    for corpus in axes.corpora:
        source = read_conversations(data / f"conversations/{corpus}.parquet")
        conversations = list(islice(source, limit))
        findings = _read_findings(axes, data, corpus, {c.conversation_id for c in conversations})
        shown += [show_conversation(c, findings, gold) for c in conversations]
    return shown


def _read_findings(axes: Axes, data: Path, corpus: str, identifiers: set[str]) -> Findings:
    """What the tables say of these conversations; of a long log no more is held."""

    def read(name: str, columns: list[str] | None = None) -> Rows:
        rows = stream_rows(data / f"{name}.parquet", columns)
        return (row for row in rows if row["conversation_id"] in identifiers)

    regenerations = axes.regenerations if corpus in axes.trained else ()
    return index_findings(
        labels=read(f"labels/{corpus}"),
        splits=read(f"splits/{corpus}", ["split", "conversation_id", "turn"]),
        replies={name: read(f"replies/{corpus}/{name}") for name in regenerations},
        scores=read(f"scores/{corpus}") if corpus in axes.trained else (),
    )


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


def show_conversation(
    conversation: Conversation, findings: Findings, gold: GoldTurns
) -> dict[str, Any]:
    """One conversation for the browser: `id`, `corpus`, `model` and `turns`.

    A turn has `user`, `reply` (null where the log ends), `label`, `confidence` and `outcome`
    (from the second turn on), `gold` (the label that annotators gave, null where they gave none),
    `splits` that drew it, `replies` (regenerated) and `scores` (split -> candidate -> reward
    without and with the feedback).
    """
    return {
        "id": conversation.conversation_id,
        "corpus": conversation.corpus,
        "model": conversation.model,
        "turns": list(_show_turns(conversation, findings, gold)),
    }


def _show_turns(
    conversation: Conversation, findings: Findings, gold: GoldTurns
) -> Iterator[dict[str, Any]]:
    replies = conversation.replies
    for turn, user in enumerate(conversation.user_turns, start=1):
        key = conversation.conversation_id, turn
        label = findings.labels.get(key, {})
        yield {
            "user": user,
            "reply": replies[turn - 1] if turn <= len(replies) else None,
            **{name: label.get(name) for name in ("label", "confidence", "outcome")},
            "gold": gold.get((*key, user)),
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
