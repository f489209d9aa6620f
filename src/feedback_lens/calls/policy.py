"""How a stage asks its model, and what it notes of that beside its table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.calls.request import Sampling, count_outcomes


@dataclass(frozen=True)
class AskPolicy:
    """How a stage asks its model.

    `model` is its name at the endpoint or in the snapshot; `source` a folder of recorded replies,
    or of a model. A reply that came whole and cannot be read is asked for again, at most `reasks`
    times, each time as a draw of its own.
    """

    model: str
    source: Path
    sampling: Sampling
    reasks: int


def count_calls(
    model: str | None, rows: Iterable[Mapping[str, Any]], tally: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """The counts beside a table: `model`, rows by outcome, and the assistant's tally.

    `model` is null where rules stood in for one. Without calls there is no tally; with them it
    counts every draw, those that were thrown away too.
    """
    outcomes = count_outcomes(row["outcome"] for row in rows)
    return {"model": model, **outcomes, **(tally or {})}
