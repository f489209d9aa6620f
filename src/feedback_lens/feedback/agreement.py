"""Cohen's kappa and accuracy of two annotators, with intervals over conversations."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import cohen_kappa_score

from feedback_lens.analysis.intervals import Interval, draw_weights, percentile_interval


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa of two annotators; null where both use one and the same label throughout.

    Source: paper section 3.2.
    """
    if len({*first, *second}) < 2:
        return None
    return float(cohen_kappa_score(first, second))


def kappa_interval(
    first: Sequence[str],
    second: Sequence[str],
    conversations: Sequence[str],
    resamples: int,
    seed: int,
) -> Interval:
    """95% percentile bootstrap of Cohen's kappa; null with fewer than two conversations.

    Whole conversations are drawn (`conversations` names each turn's), as their turns are alike.
    """
    tables = _resample(first, second, conversations, resamples, seed)
    total = tables.sum((1, 2))
    agreed = tables.trace(axis1=1, axis2=2)
    by_chance = (tables.sum(1) * tables.sum(2)).sum(1)
    with np.errstate(invalid="ignore"):  # a draw of a single label has no kappa
        kappas = (total * agreed - by_chance) / (total**2 - by_chance)
    return percentile_interval(kappas)


def accuracy_interval(
    first: Sequence[str],
    second: Sequence[str],
    conversations: Sequence[str],
    resamples: int,
    seed: int,
) -> Interval:
    """95% percentile bootstrap of the share of equal labels, drawn as in `kappa_interval`."""
    tables = _resample(first, second, conversations, resamples, seed)
    return percentile_interval(tables.trace(axis1=1, axis2=2) / tables.sum((1, 2)))


def _resample(
    first: Sequence[str],
    second: Sequence[str],
    conversations: Sequence[str],
    resamples: int,
    seed: int,
) -> npt.NDArray[np.float64]:
    # a draw of conversations is a weighted sum of their confusion tables
    codes = {label: code for code, label in enumerate(sorted({*first, *second}))}
    names, places = np.unique(np.asarray(conversations), return_inverse=True)
    tables = np.zeros((len(names), len(codes), len(codes)))
    for place, one, other in zip(places, first, second, strict=True):
        tables[place, codes[one], codes[other]] += 1
    if len(names) < 2:
        return tables[:0]
    weights = draw_weights(len(names), resamples, np.random.default_rng(seed))
    return np.tensordot(weights, tables, axes=1)
