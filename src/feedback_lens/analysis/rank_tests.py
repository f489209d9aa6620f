"""Rank tests of two groups of scores, with an effect size that a person can read."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from feedback_lens.analysis.intervals import percentile_interval

Scores = npt.NDArray[np.float64]
Key = TypeVar("Key")


def compare_ranks(
    first: Scores, second: Scores, resamples: int, seed: int
) -> dict[str, float | None]:
    """The Mann-Whitney U test, and how often a score of `first` is above one of `second`.

    Returns:
        `p`, two-sided; `superiority`, the probability that a score drawn from `first` is above one
        drawn from `second`, ties counting half; `delta`, Cliff's delta, 2 * superiority - 1, with
        its 95% interval (`delta_low`, `delta_high`) over draws of both groups. All are null where a
        group is empty.
    """
    from scipy.stats import mannwhitneyu

    names = ("p", "superiority", "delta", "delta_low", "delta_high")
    if not len(first) or not len(second):
        return dict.fromkeys(names)
    superiority = measure_superiority(first, second)
    draws = _draw_superiorities(first, second, resamples, seed)
    low, high = percentile_interval(2 * draws - 1)
    p = float(mannwhitneyu(first, second).pvalue)
    return dict(zip(names, (p, superiority, 2 * superiority - 1, low, high), strict=True))


def compare_splits_of_prompts(
    scored: Mapping[str, Sequence[tuple[Hashable, float]]],
    pairs: Mapping[str, tuple[str, str]],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Rank tests of splits that may share prompts, as `rand` is drawn from all of them.

    The test wants two groups that have no prompt in common. So the second split of a pair is taken
    without the prompts that are in the first one, with a score or without.

    Args:
        scored: by split a prompt's key and its score, not a number for one without.
        pairs: the two splits of each test, by its name.
        resamples: draws of prompts for the 95% intervals.
        seed: of the draws.

    Returns:
        For each test what `compare_ranks` says, `p_holm`, Holm's correction over the tests, and the
        numbers of scores compared, `n_first` and `n_second`.
    """
    groups = {name: _part(scored[one], scored[other]) for name, (one, other) in pairs.items()}
    tests = {name: compare_ranks(*group, resamples, seed) for name, group in groups.items()}
    corrected = correct_holm({name: test["p"] for name, test in tests.items()})
    return {
        name: {
            **tests[name],
            "p_holm": corrected[name],
            "n_first": len(first),
            "n_second": len(second),
        }
        for name, (first, second) in groups.items()
    }


def _part(
    first: Sequence[tuple[Hashable, float]], second: Sequence[tuple[Hashable, float]]
) -> tuple[Scores, Scores]:
    shared = {key for key, _ in first}
    one = np.array([score for _, score in first], dtype=np.float64)
    other = np.array([score for key, score in second if key not in shared], dtype=np.float64)
    return one[~np.isnan(one)], other[~np.isnan(other)]


def measure_superiority(first: Scores, second: Scores) -> float:
    """The share of pairs in which the score of `first` is above that of `second`; ties are half."""
    ordered = np.sort(second)
    below = np.searchsorted(ordered, first, "left") + np.searchsorted(ordered, first, "right")
    return float(below.sum()) / (2 * len(first) * len(second))


def _draw_superiorities(first: Scores, second: Scores, resamples: int, seed: int) -> Scores:
    generator = np.random.default_rng(seed)
    draws = [
        measure_superiority(
            generator.choice(first, len(first)), generator.choice(second, len(second))
        )
        for _ in range(resamples)
    ]
    return np.array(draws)


def correct_holm(p_values: Mapping[Key, float | None]) -> dict[Key, float | None]:
    """Holm's step-down correction; a null p is no test and stays null."""
    tested = sorted(((p, key) for key, p in p_values.items() if p is not None), key=lambda x: x[0])
    corrected: dict[Key, float | None] = dict.fromkeys(p_values)
    largest = 0.0
    for rank, (p, key) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        corrected[key] = largest
    return corrected
