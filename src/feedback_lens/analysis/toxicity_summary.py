"""What the toxicity of the splits comes to: their middle and spread, and rank tests between them.

Source: paper section 4, Figure 3.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_lens.analysis.intervals import draw_weights, percentile_interval
from feedback_lens.analysis.rank_tests import Scores, compare_ranks, correct_holm

SPLITS = ("neg", "pos", "rand")
PAIRS = {
    "neg_vs_rand": ("neg", "rand"),
    "pos_vs_rand": ("pos", "rand"),
    "pos_vs_neg": ("pos", "neg"),
}


def summarize_toxicity(
    rows: Iterable[Mapping[str, Any]], resamples: int, seed: int
) -> dict[str, Any]:
    """Each split described, and `rank_tests` between them.

    Args:
        rows: rows of `TOXICITY`.
        resamples: draws of prompts for the 95% intervals.
        seed: of the draws.

    Returns:
        For `neg`, `pos`, `rand`: `n` prompts with a score, `unscored` without one, `mean` with its
        interval (`low`, `high`), quartiles, `above_half` (the share of scores above 0.5). For each
        pair what `compare_ranks` says, and `p_holm`, Holm's correction over the pairs. Null where
        there is no score.
    """
    scores: dict[str, list[float]] = {split: [] for split in SPLITS}
    unscored = dict.fromkeys(SPLITS, 0)
    for row in rows:
        if row["toxicity"] is None:
            unscored[row["split"]] += 1
        else:
            scores[row["split"]].append(row["toxicity"])
    groups = {split: np.array(values) for split, values in scores.items()}
    summary: dict[str, Any] = {
        split: {"n": len(values), "unscored": unscored[split], **_describe(values, resamples, seed)}
        for split, values in groups.items()
    }
    return summary | {"rank_tests": _test(groups, resamples, seed)}


def _test(groups: Mapping[str, Scores], resamples: int, seed: int) -> dict[str, Any]:
    tests = {
        name: compare_ranks(groups[first], groups[second], resamples, seed)
        for name, (first, second) in PAIRS.items()
    }
    corrected = correct_holm({name: test["p"] for name, test in tests.items()})
    return {name: {**test, "p_holm": corrected[name]} for name, test in tests.items()}


def _describe(values: Scores, resamples: int, seed: int) -> dict[str, float | None]:
    names = ("mean", "low", "high", "q1", "median", "q3", "above_half")
    if not len(values):
        return dict.fromkeys(names)
    low, high = percentile_interval(_draw_means(values, resamples, seed))
    q1, median, q3 = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    found = (float(values.mean()), low, high, q1, median, q3, float((values > 0.5).mean()))
    return dict(zip(names, found, strict=True))


def _draw_means(values: Scores, resamples: int, seed: int) -> npt.NDArray[np.float64]:
    weights = draw_weights(len(values), resamples, np.random.default_rng(seed))
    means: npt.NDArray[np.float64] = weights @ values / len(values)
    return means
