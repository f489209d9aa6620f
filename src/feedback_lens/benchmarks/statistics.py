"""Paired tests of the recipes against a reference, question by question."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_lens.analysis.intervals import Interval, draw_weights, percentile_interval
from feedback_lens.analysis.rank_tests import correct_holm
from feedback_lens.benchmarks.cells import Cells, Judgments, Model, Rows
from feedback_lens.benchmarks.summary import scale_rating
from feedback_lens.errors import InputError

Scores = npt.NDArray[np.float64]  # (questions, seeds); not a number where nothing was scored
Key = tuple[str, str, str, str, str]  # benchmark, judge, base, corpus, recipe


def compare_recipes(
    judgments: Judgments, cells: Cells, reference: str, resamples: int, seed: int
) -> dict[str, Any]:
    """Benchmark -> judge -> base -> corpus -> recipe -> its test against the reference recipe.

    Each is as `compare_pair` gives it, with `p_holm`, Holm's correction of `p` over all tests.

    Raises:
        InputError: the reference is none of the recipes.

    Source: paper appendix I, Table 17.
    """
    if reference not in cells.recipes:
        raise InputError(
            f"test_significance.reference: {reference!r} is none of run.models.recipes "
            f"({', '.join(cells.recipes)})"
        )
    tests = {
        key: compare_pair(recipe_scores, reference_scores, resamples, seed)
        for key, recipe_scores, reference_scores in _pairs(judgments, cells, reference)
    }
    corrected = correct_holm({key: test["p"] for key, test in tests.items()})
    metrics: dict[str, Any] = {}
    for key, test in tests.items():
        place = metrics
        for name in key[:-1]:
            place = place.setdefault(name, {})
        place[key[-1]] = {**test, "p_holm": corrected[key]}
    return metrics


def score_questions(benchmark: str, runs: Sequence[Rows]) -> Scores:
    """Each question's score on the benchmark's scale, its mean over turns: `(questions, seeds)`.

    Questions are ordered by id; one without a rating is not a number.
    """
    questions = sorted({row["question_id"] for rows in runs for row in rows})
    place = {question: index for index, question in enumerate(questions)}
    sums, counts = np.zeros((2, len(questions), len(runs)))
    for run, rows in enumerate(runs):
        for row in rows:
            if row["score"] is not None:
                sums[place[row["question_id"]], run] += scale_rating(benchmark, row["score"])
                counts[place[row["question_id"]], run] += 1
    return _divide(sums, counts)


def compare_pair(scores: Scores, reference: Scores, resamples: int, seed: int) -> dict[str, Any]:
    """Paired t-test over questions, of their scores averaged over seeds, and a bootstrap interval.

    Keys: `mean_difference` (recipe less reference; null without a question), `t` and two-sided
    `p` (null where `n` is below 2 or all differences are equal), `n` (questions that both have a
    score for), `low` and `high` (95%, as `difference_interval` gives it).
    """
    differences = _average_seeds(scores) - _average_seeds(reference)
    differences = differences[~np.isnan(differences)]
    low, high = difference_interval(scores, reference, resamples, seed)
    return {
        "mean_difference": float(differences.mean()) if len(differences) else None,
        **_test_paired(differences),
        "n": len(differences),
        "low": low,
        "high": high,
    }


def difference_interval(scores: Scores, reference: Scores, resamples: int, seed: int) -> Interval:
    """95% percentile bootstrap of the mean difference; null with fewer than two questions.

    Questions are drawn for both sides at once, seeds for each side apart: the seed of one recipe
    has nothing in common with the equal seed of another.
    """
    questions = len(scores)
    if questions < 2:
        return None, None
    generator = np.random.default_rng(seed)
    weights = draw_weights(questions, resamples, generator)
    differences = _draw_seeds(scores, resamples, generator) - _draw_seeds(
        reference, resamples, generator
    )
    known = ~np.isnan(differences)
    sums = (weights * np.where(known, differences, 0)).sum(1)
    return percentile_interval(_divide(sums, (weights * known).sum(1)))


def _pairs(
    judgments: Judgments, cells: Cells, reference: str
) -> Iterator[tuple[Key, Scores, Scores]]:
    recipes = [recipe for recipe in cells.recipes if recipe != reference]
    for (benchmark, judge), models in judgments.items():
        for base, corpus in product(cells.bases, cells.corpora):
            scores = {
                recipe: score_questions(
                    benchmark, [models[Model(base, corpus, recipe, s)] for s in cells.seeds]
                )
                for recipe in (reference, *recipes)
            }
            for recipe in recipes:
                key = (benchmark, judge, base, corpus, recipe)
                yield key, scores[recipe], scores[reference]


def _test_paired(differences: Scores) -> dict[str, float | None]:
    # without spread t is no number; the tolerance is that of sums of decimal ratings
    if len(differences) < 2 or np.ptp(differences) < 1e-9:
        return {"t": None, "p": None}
    from scipy.stats import ttest_1samp

    test = ttest_1samp(differences, 0.0)
    return {"t": float(test.statistic), "p": float(test.pvalue)}


def _average_seeds(scores: Scores) -> Scores:
    known = ~np.isnan(scores)
    return _divide(np.where(known, scores, 0).sum(1), known.sum(1))


def _draw_seeds(scores: Scores, resamples: int, generator: np.random.Generator) -> Scores:
    # (resamples, questions): each question's mean over the seeds drawn
    weights = draw_weights(scores.shape[1], resamples, generator)
    known = ~np.isnan(scores)
    return _divide(weights @ np.where(known, scores, 0).T, weights @ known.T)


def _divide(sums: Scores, counts: npt.NDArray[Any]) -> Scores:
    with np.errstate(invalid="ignore"):  # 0 / 0 is the mean of nothing: not a number
        means: Scores = sums / counts
    return means
