"""Benchmark scores: per model, with mean and spread over seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from feedback_lens.benchmarks.cells import Cells, Judgments, Rows
from feedback_lens.errors import InputError

# from the mean of a judge's ratings, 1 to 10, to the scale of the published figures
SCALES: Mapping[str, Callable[[float], float]] = {
    "mt_bench": lambda rating: rating,
    "wildbench": lambda rating: (rating - 5) * 20,
}
SCORE_POINTS = (
    "benchmark",
    "judge",
    "base",
    "corpus",
    "recipe",
    "mean",
    "spread",
    "low",
    "high",
    "seeds",
    "unscored",
)


def scale_rating(benchmark: str, rating: float) -> float:
    """A mean rating (1 to 10) on the benchmark's scale: mt_bench 1 to 10, wildbench -80 to 100.

    Raises:
        InputError: the benchmark has no scale.

    Source: paper Table 4; WildBench's (mean - 5) * 2, shown times ten.
    """
    if benchmark not in SCALES:
        raise InputError(
            f"run.evaluation.benchmarks: {benchmark!r} has no scale; {', '.join(SCALES)} are known"
        )
    return SCALES[benchmark](rating)


def score_rows(benchmark: str, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The score of judgments as published: the mean over rows with a rating; null without any."""
    ratings = [row["score"] for row in rows if row["score"] is not None]
    return scale_rating(benchmark, fmean(ratings)) if ratings else None


def summarize_runs(benchmark: str, runs: Sequence[Rows]) -> dict[str, Any]:
    """The scores of one recipe's runs, one list of judgments a seed.

    Keys: `mean` of the seeds' scores, `spread` (their sample standard deviation; null with fewer
    than two), `seeds` (that have a score), `unscored` (judgments without a rating, which no mean
    holds), where there are two turns `turn_1` and `turn_2`, and `categories`: means over seeds.

    Source: paper section 7.2 and Table 4.
    """
    scores = _score_each(benchmark, runs)
    turns = sorted({row["turn"] for rows in runs for row in rows})
    return {
        "mean": fmean(scores) if scores else None,
        "spread": stdev(scores) if len(scores) > 1 else None,
        "seeds": len(scores),
        "unscored": sum(row["score"] is None for rows in runs for row in rows),
        **{f"turn_{t}": _average_part(benchmark, runs, "turn", t) for t in turns if len(turns) > 1},
        "categories": {
            name: _average_part(benchmark, runs, "category", name)
            for name in sorted({row["category"] for rows in runs for row in rows})
        },
    }


def summarize(judgments: Judgments, cells: Cells) -> dict[str, Any]:
    """Benchmark -> judge -> base -> `base` (untrained), and corpus -> recipe -> a summary.

    Each is as `summarize_runs` gives it.

    Source: paper Tables 4, 14 and 16.
    """
    metrics: dict[str, Any] = {}
    for benchmark, judge, base, corpus, recipe, summary in _summaries(judgments, cells):
        place = metrics.setdefault(benchmark, {}).setdefault(judge, {}).setdefault(base, {})
        if corpus is not None:
            place = place.setdefault(corpus, {})
        place[recipe] = summary
    return metrics


def list_scores(judgments: Judgments, cells: Cells) -> list[dict[str, Any]]:
    """One row of `SCORE_POINTS` for each benchmark, judge and recipe of a base.

    `low` and `high` are the mean less and plus the spread.
    """
    return [
        {
            **dict(zip(SCORE_POINTS, key, strict=False)),
            **{name: summary[name] for name in ("mean", "spread", "seeds", "unscored")},
            "low": _add(summary["mean"], -(summary["spread"] or 0)),
            "high": _add(summary["mean"], summary["spread"] or 0),
        }
        for *key, summary in _summaries(judgments, cells)
    ]


def _summaries(judgments: Judgments, cells: Cells) -> Iterator[tuple[Any, ...]]:
    for (benchmark, judge), models in judgments.items():
        groups: dict[tuple[str, str | None, str], list[Rows]] = {}
        for model in cells.models():
            groups.setdefault(model[:3], []).append(models[model])
        for (base, corpus, recipe), runs in groups.items():
            yield benchmark, judge, base, corpus, recipe, summarize_runs(benchmark, runs)


def _score_each(benchmark: str, runs: Sequence[Rows]) -> list[float]:
    scores = [score_rows(benchmark, rows) for rows in runs]
    return [score for score in scores if score is not None]


def _average_part(benchmark: str, runs: Sequence[Rows], column: str, value: Any) -> float | None:
    scores = _score_each(benchmark, [[r for r in rows if r[column] == value] for rows in runs])
    return fmean(scores) if scores else None


def _add(mean: float | None, step: float) -> float | None:
    return None if mean is None else mean + step
