"""Win rates of the recipes' answers over those of the recipe that they are compared with."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_lens.analysis.intervals import Interval, draw_weights, percentile_interval
from feedback_lens.axes import Model
from feedback_lens.benchmarks.pairs.pairing import POINTS, Rows

Table = npt.NDArray[np.float64]  # (questions, seeds)


def compare_answers(
    judgments: Mapping[str, Mapping[Model, Rows]], resamples: int, seed: int
) -> dict[str, Any]:
    """Benchmark -> base -> corpus -> recipe -> its win rate, as `win_rate` gives it."""
    metrics: dict[str, Any] = {}
    for benchmark, models in judgments.items():
        runs: defaultdict[tuple[str, str, str], list[Rows]] = defaultdict(list)
        for model, rows in models.items():
            runs[model.base, str(model.corpus), model.recipe].append(rows)
        judged = metrics.setdefault(benchmark, {})
        for (base, corpus, recipe), members in runs.items():
            found = win_rate(members, resamples, seed)
            judged.setdefault(base, {}).setdefault(corpus, {})[recipe] = found
    return metrics


def win_rate(runs: Sequence[Rows], resamples: int, seed: int) -> dict[str, Any]:
    """The win rate of one recipe's runs, one list of rows of `PAIR_JUDGMENTS` a seed.

    A comparison is one question, turn, seed and repetition. Where both orders were judged and
    disagree it is a tie; where one cannot be read it is unscored. Keys: `win_rate` (0 to 1, ties
    counting half; null where `n` is 0), `ties` and `n` (comparisons with a verdict), `low` and
    `high` (95% bootstrap over questions and seeds), `unscored` (comparisons without), and
    `order_agreement`: the share of comparisons with two readable orders that say the same; null
    where none has two.

    Source: FastChat's win_rate_adjusted (llm_judge/show_result.py).
    """
    merged = [_merge_orders(rows) for rows in runs]
    points = [value for comparisons in merged for _, value, _ in comparisons if value is not None]
    agreements = [same for comparisons in merged for *_, same in comparisons if same is not None]
    low, high = _interval(*_tabulate(merged), resamples, seed)
    return {
        "win_rate": sum(points) / len(points) if points else None,
        "ties": points.count(POINTS["tie"]),
        "n": len(points),
        "low": low,
        "high": high,
        "unscored": sum(map(len, merged)) - len(points),
        "order_agreement": sum(agreements) / len(agreements) if agreements else None,
    }


Comparison = tuple[str, float | None, bool | None]  # question, points, whether both orders agree


def _merge_orders(rows: Iterable[Mapping[str, Any]]) -> list[Comparison]:
    groups: defaultdict[tuple[str, int, int], list[str | None]] = defaultdict(list)
    for row in rows:
        groups[row["question_id"], row["turn"], row["repetition"]].append(row["verdict"])
    return [(key[0], *_decide(verdicts)) for key, verdicts in groups.items()]


def _decide(verdicts: Sequence[str | None]) -> tuple[float | None, bool | None]:
    known = [verdict for verdict in verdicts if verdict is not None]
    if len(known) < len(verdicts):
        return None, None
    if len(known) == 1:
        return POINTS[known[0]], None
    agree = len(set(known)) == 1
    return POINTS[known[0]] if agree else POINTS["tie"], agree


def _tabulate(runs: Sequence[Sequence[Comparison]]) -> tuple[Table, Table]:
    """Points, and the comparisons that have some; a question without any is left out."""
    scored = [[(name, value) for name, value, _ in run if value is not None] for run in runs]
    names = sorted({name for run in scored for name, _ in run})
    place = {name: index for index, name in enumerate(names)}
    points, counts = np.zeros((2, len(names), len(runs)))
    for index, run in enumerate(scored):
        for name, value in run:
            points[place[name], index] += value
            counts[place[name], index] += 1
    return points, counts


def _interval(points: Table, counts: Table, resamples: int, seed: int) -> Interval:
    """95% percentile bootstrap; questions and seeds are drawn, null with fewer than two questions.

    Both sides of a comparison have the same seed, so that one draw of seeds serves both.
    """
    questions, seeds = counts.shape
    if questions < 2:
        return None, None
    generator = np.random.default_rng(seed)
    drawn = draw_weights(questions, resamples, generator)
    of_seeds = draw_weights(seeds, resamples, generator)
    wins = ((drawn @ points) * of_seeds).sum(1)
    with np.errstate(invalid="ignore"):  # a resample may hold no comparison
        return percentile_interval(wins / ((drawn @ counts) * of_seeds).sum(1))
