"""What the ratings of prompts come to: Figure 4, Tables 12 and 15."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.analysis.intervals import (
    Interval,
    percentile_interval,
    resample_totals,
    wilson_interval,
)
from feedback_lens.analysis.rank_tests import compare_splits_of_prompts

QUALITY_POINTS = ("split", "criteria_met")
CRITERION_POINTS = ("split", "criterion", "share", "low", "high")
PAIRS = {"neg_vs_rand": ("neg", "rand"), "pos_vs_rand": ("pos", "rand")}
Row = Mapping[str, Any]


def summarize_quality(rows: Iterable[Row], resamples: int, seed: int) -> dict[str, Any]:
    """By prompt set: prompts, shares that meet each criterion, complexity, tokens.

    Keys: `prompts`; `unreadable` (without criteria; the shares are over the others); each
    criterion's share and their `mean`; `criteria_met`, the quartiles `q1`, `median`, `q3` of the
    number that a prompt meets, 0 to 7; `difficulty`, mean of 1 to 5; `tokens`, mean; `intervals`
    with `low` and `high` of each share (95%, Wilson's), of `mean`, `difficulty` and `tokens` (95%
    percentile bootstrap over prompts, null for fewer than two).
    """
    sets: dict[str, list[Row]] = {}
    for row in rows:
        sets.setdefault(row["prompt_set"], []).append(row)
    return {name: _summarize(members, resamples, seed) for name, members in sorted(sets.items())}


def compare_splits(rows: Iterable[Row], resamples: int, seed: int) -> dict[str, Any]:
    """Rank tests of the number of criteria met, `neg_vs_rand` and `pos_vs_rand`.

    Each as `compare_splits_of_prompts` gives it: `rand` without the prompts (`prompt_id`) that are
    in the other split too.
    """
    met: dict[str, list[tuple[Hashable, float]]] = {"neg": [], "pos": [], "rand": []}
    for row in rows:
        score = count_met(row) if _is_readable(row) else np.nan
        met[row["prompt_set"]].append((row["prompt_id"], score))
    return compare_splits_of_prompts(met, PAIRS, resamples, seed)


def list_met(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Points of a plot (`QUALITY_POINTS`): one a prompt whose criteria could be read."""
    for row in _readable(rows):
        yield {"split": row["prompt_set"], "criteria_met": count_met(row)}


def list_criteria(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row of `CRITERION_POINTS` for each prompt set of `summarize_quality` and criterion.

    `share` of the prompts that meet it with its 95% interval; `mean` is that of the seven.
    """
    for name, found in summary.items():
        for criterion in (*CRITERIA, "mean"):
            share = {"share": found[criterion], **found["intervals"][criterion]}
            yield {"split": name, "criterion": criterion, **share}


def count_met(row: Row) -> int:
    """How many of the seven criteria a readable row of ratings meets."""
    return sum(row[name] for name in CRITERIA)


def _readable(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if _is_readable(row)]


def _is_readable(row: Row) -> bool:
    return row[CRITERIA[0]] is not None


def _summarize(rows: Sequence[Row], resamples: int, seed: int) -> dict[str, Any]:
    rated = _readable(rows)
    met = [count_met(row) for row in rated]
    values = {
        "mean": [count / len(CRITERIA) for count in met],
        "difficulty": [row["difficulty"] for row in rows if row["difficulty"] is not None],
        "tokens": [row["tokens"] for row in rows],
    }
    shares = {name: _mean([row[name] for row in rated]) for name in CRITERIA}
    intervals = {
        **{name: _share_interval(share, len(rated)) for name, share in shares.items()},
        **{name: _mean_interval(of, resamples, seed) for name, of in values.items()},
    }
    return {
        "prompts": len(rows),
        "unreadable": len(rows) - len(rated),
        **shares,
        **{name: _mean(of) for name, of in values.items()},
        "criteria_met": _quartiles(met),
        "intervals": {name: {"low": low, "high": high} for name, (low, high) in intervals.items()},
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _quartiles(values: Sequence[int]) -> dict[str, float | None]:
    names = ("q1", "median", "q3")
    if not values:
        return dict.fromkeys(names)
    quartiles = np.quantile(values, [0.25, 0.5, 0.75])
    return {name: float(value) for name, value in zip(names, quartiles, strict=True)}


def _share_interval(share: float | None, trials: int) -> Interval:
    return (None, None) if share is None else wilson_interval(share, trials)


def _mean_interval(values: Sequence[float], resamples: int, seed: int) -> Interval:
    """Drawn by how often each different value occurs, as prompts are many and values are few."""
    if len(values) < 2:
        return None, None
    different, counts = np.unique(np.array(values, dtype=np.float64), return_counts=True)
    generator = np.random.default_rng(seed)
    totals = resample_totals(different, resamples, generator, counts)
    return percentile_interval(totals / len(values))
