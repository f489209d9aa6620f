"""What the tables of one corpus say of the turns of its conversations on the page."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.axes import Axes
from feedback_lens.tables import stream_rows

Key = tuple[str, int]
Row = Mapping[str, Any]
Rows = Iterable[Row]
Scores = dict[str, dict[str, list[float | None]]]


@dataclass(frozen=True)
class Findings:
    """What is known of one corpus' turns, by conversation and turn.

    `labels` are rows of `LABELS`, `toxicity`, `ratings` and `refusals` of the tables of these
    names; a prompt that several splits drew stands there once. `splits` are those that drew the
    turn, `replies` rows of `REPLIES` with the `name` of their regeneration, `scores` go from split
    and candidate to the reward without and with the feedback.
    """

    labels: Mapping[Key, Row]
    splits: Mapping[Key, list[str]]
    toxicity: Mapping[Key, Row]
    ratings: Mapping[Key, Row]
    refusals: Mapping[Key, Row]
    replies: Mapping[Key, list[Row]]
    scores: Mapping[Key, Scores]


def read_findings(axes: Axes, data: Path, corpus: str, identifiers: Container[str]) -> Findings:
    """What the tables say of these conversations; of a long log no more is held.

    Raises:
        InputError: a table of the corpus is missing or unreadable, with its name.
    """

    def read(name: str) -> Rows:
        rows = stream_rows(data / f"{name}.parquet")
        return (row for row in rows if row["conversation_id"] in identifiers)

    ratings = map(_split_id, stream_rows(data / f"ratings/{corpus}.parquet"))
    regenerations = axes.regenerations if corpus in axes.trained else ()
    return Findings(
        labels=_index(read(f"labels/{corpus}")),
        splits=_group((row, row["split"]) for row in read(f"splits/{corpus}")),
        toxicity=_index(read(f"toxicity/{corpus}")),
        ratings=_index(row for row in ratings if row["conversation_id"] in identifiers),
        refusals=_index(read(f"refusals/{corpus}")),
        replies=_group(
            (row, {"name": name, **row})
            for name in regenerations
            for row in read(f"replies/{corpus}/{name}")
        ),
        scores=_index_scores(read(f"scores/{corpus}") if corpus in axes.trained else ()),
    )


def list_met(rating: Row) -> list[int] | None:
    """The criteria that a prompt meets, by their number from 0; null where it could not be read."""
    if rating[CRITERIA[0]] is None:
        return None
    return [number for number, name in enumerate(CRITERIA) if rating[name]]


def _split_id(rating: Row) -> Row:
    """A rating with the conversation and turn that `analysis.prompt_sets` makes its id of."""
    identifier, _, turn = rating["prompt_id"].rpartition(":")
    return {**rating, "conversation_id": identifier, "turn": int(turn)}


def _key(row: Row) -> Key:
    return row["conversation_id"], row["turn"]


def _index(rows: Rows) -> dict[Key, Row]:
    return {_key(row): row for row in rows}


def _group(pairs: Iterable[tuple[Row, Any]]) -> dict[Key, list[Any]]:
    groups: dict[Key, list[Any]] = {}
    for row, value in pairs:
        groups.setdefault(_key(row), []).append(value)
    return groups


def _index_scores(rows: Rows) -> dict[Key, Scores]:
    index: dict[Key, Scores] = {}
    for row in rows:
        candidates = index.setdefault(_key(row), {}).setdefault(row["split"], {})
        pair = candidates.setdefault(row["candidate"], [None, None])
        pair[row["with_feedback"]] = None if row["score"] is None else round(row["score"], 3)
    return index
