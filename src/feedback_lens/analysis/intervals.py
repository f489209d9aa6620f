"""Intervals at 95%: bootstrap, and Wilson's for shares of turns that come in conversations."""

from collections.abc import Mapping
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

Interval = tuple[float | None, float | None]
Draws = npt.NDArray[np.float64]
Z: Final = 1.959963984540054  # 97.5th percentile of the standard normal
WEIGHTS_AT_ONCE: Final = 4_000_000  # 32 MB


def draw_weights(units: int, resamples: int, generator: np.random.Generator) -> Draws:
    """How often each unit is drawn in each resample of `units` draws: `(resamples, units)`."""
    weights = generator.multinomial(units, np.full(units, 1 / units), size=resamples)
    return weights.astype(np.float64)


def resample_totals(
    values: Draws,
    resamples: int,
    generator: np.random.Generator,
    counts: npt.NDArray[np.int64] | None = None,
) -> Draws:
    """Totals over the units of each resample: `(units, ...)` becomes `(resamples, ...)`.

    The same as with all weights of `draw_weights` at once, in bounded memory. Where many units
    have few different values, `values` are those and `counts` says how many units have each.
    """
    units = len(values) if counts is None else int(counts.sum())
    chances = (np.ones(len(values)) if counts is None else counts) / units
    at_once = max(1, WEIGHTS_AT_ONCE // len(values))
    sizes = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]
    draws = (generator.multinomial(units, chances, size).astype(np.float64) for size in sizes)
    return np.concatenate([np.tensordot(weights, values, axes=1) for weights in draws])


def percentile_interval(draws: Draws) -> Interval:
    """The 2.5th and 97.5th percentile of the draws that are numbers; null without any."""
    known = draws[~np.isnan(draws)]
    if not known.size:
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def estimate_share(
    successes: npt.NDArray[np.int64], trials: npt.NDArray[np.int64]
) -> Mapping[str, float | None]:
    """A `share` of trials that come in clusters, with its interval `low`, `high`.

    The arrays hold the numbers of each cluster (a conversation). The interval is Wilson's with the
    effective number of trials of `count_effective_trials`; all is null without a trial.
    """
    total = int(trials.sum())
    if not total:
        return {"share": None, "low": None, "high": None}
    share = int(successes.sum()) / total
    low, high = wilson_interval(share, count_effective_trials(successes, trials))
    return {"share": share, "low": low, "high": high}


def wilson_interval(share: float, trials: float) -> tuple[float, float]:
    """Wilson's score interval of a share of so many independent trials, not always a whole number.

    Source: Wilson 1927; Brown, Cai and DasGupta 2001.
    """
    center = (share + Z * Z / (2 * trials)) / (1 + Z * Z / trials)
    half = Z / (1 + Z * Z / trials) * sqrt(share * (1 - share) / trials + (Z / (2 * trials)) ** 2)
    # a share of 0 or 1 is an end of its interval, whatever rounding makes of it
    return (0.0 if share == 0 else center - half), (1.0 if share == 1 else center + half)


def count_effective_trials(
    successes: npt.NDArray[np.int64], trials: npt.NDArray[np.int64]
) -> float:
    """How many independent trials would tell the share as precisely as these clusters do.

    The number of trials over the design effect, and so the number of trials where each is a
    cluster of its own. The design effect is the larger of what the clusters show and what they
    would without a success but for one pseudo-success and one pseudo-failure, each a cluster of
    its own. That floor is at least 1, rests on the sizes alone and decides where a share is 0 or 1,
    of which no variance is known. So these two have the most effective trials of all, and the
    interval moves the way that the share does when a first success (or failure) is found. A single
    cluster, which tells nothing of others, counts as one trial.

    Of simulated logs of 60 clusters of 8 trials the interval holds the share in 93% to 98%, for
    shares of 1% to 50% and a correlation within clusters of up to 1/6. It is too narrow where few
    clusters hold all successes of a rare kind: 84% for a share of 1% and a correlation of 1/3.

    Source: Korn and Graubard 1998; Dean and Pagano 2015.
    """
    held = trials > 0
    hits, sizes = successes[held].astype(np.float64), trials[held].astype(np.float64)
    if len(sizes) == 1:
        return 1.0
    with_pseudo = np.append(np.zeros(len(sizes)), [1.0, 0.0]), np.append(sizes, [1.0, 1.0])
    effect = max(1.0, _measure_design_effect(*with_pseudo))
    if 0 < hits.sum() < sizes.sum():
        effect = max(effect, _measure_design_effect(hits, sizes))
    return float(sizes.sum() / effect)


def _measure_design_effect(hits: Draws, sizes: Draws) -> float:
    """The variance of a share that is robust to clusters over that of independent trials.

    The first is linearized, with the factor clusters / (clusters - 1); the other is
    share (1 - share) / (trials - 1).
    """
    clusters, total, share = len(sizes), sizes.sum(), hits.sum() / sizes.sum()
    scatter = ((hits - share * sizes) ** 2).sum()
    robust = clusters / (clusters - 1) * scatter / total**2
    return float(robust / (share * (1 - share) / (total - 1)))
