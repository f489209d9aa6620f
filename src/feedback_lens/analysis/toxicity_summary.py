"""What the toxicity of the splits comes to: their middle and spread, and rank tests between them.

Source: paper section 4, Figure 3.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np

from feedback_lens.analysis.intervals import percentile_interval, resample_totals
from feedback_lens.analysis.rank_tests import Scores, compare_splits_of_prompts

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
        pair what `compare_splits_of_prompts` says: `rand` is compared without the prompts that are
        in `neg` or `pos` too. Null where there is no score.
    """
    scored: dict[str, list[tuple[Hashable, float]]] = {split: [] for split in SPLITS}
    for row in rows:
        score = np.nan if row["toxicity"] is None else row["toxicity"]
        scored[row["split"]].append(((row["conversation_id"], row["turn"]), score))
    summary: dict[str, Any] = {
        split: _describe(np.array([score for _, score in prompts]), resamples, seed)
        for split, prompts in scored.items()
    }
    return summary | {"rank_tests": compare_splits_of_prompts(scored, PAIRS, resamples, seed)}


def _describe(scores: Scores, resamples: int, seed: int) -> dict[str, float | None]:
    values = scores[~np.isnan(scores)]
    counts = {"n": len(values), "unscored": len(scores) - len(values)}
    return {**counts, **_describe_scores(values, resamples, seed)}


def _describe_scores(values: Scores, resamples: int, seed: int) -> dict[str, float | None]:
    names = ("mean", "low", "high", "q1", "median", "q3", "above_half")
    if not len(values):
        return dict.fromkeys(names)
    totals = resample_totals(values, resamples, np.random.default_rng(seed))
    low, high = percentile_interval(totals / len(values))
    q1, median, q3 = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    found = (float(values.mean()), low, high, q1, median, q3, float((values > 0.5).mean()))
    return dict(zip(names, found, strict=True))
