"""Paired differences of two detectors on the same turns, with intervals over conversations."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from feedback_lens.analysis.intervals import Draws, draw_weights, percentile_interval
from feedback_lens.feedback.labels import FINE, coarsen

Differences = dict[str, dict[str, float | None]]


def compare_detectors(
    gold: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    conversations: Sequence[str],
    resamples: int,
    seed: int,
) -> Differences:
    """How much better the first of two detectors labels, in accuracy and macro-F1, -1 to 1.

    `three_way_accuracy`, `fine_accuracy` and `fine_macro_f1` hold `difference` (first - second),
    and `low` and `high`, the 95% percentile bootstrap: whole conversations are drawn
    (`conversations` names each turn's), the same for both detectors; null with fewer than two.
    """
    names, places = np.unique(np.asarray(conversations), return_inverse=True)
    whole = np.ones((1, len(names)))
    generator = np.random.default_rng(seed)
    drawn = draw_weights(len(names), resamples if len(names) > 1 else 0, generator)
    one, other = (_count_pairs(gold, labels, places, len(names)) for labels in (first, second))
    measured = {}
    for metric, measure in _METRICS.items():
        difference = measure(one, whole) - measure(other, whole)
        low, high = percentile_interval(measure(one, drawn) - measure(other, drawn))
        measured[metric] = {"difference": float(difference[0]), "low": low, "high": high}
    return measured


def _count_pairs(
    gold: Sequence[str], labels: Sequence[str], places: npt.NDArray[np.intp], conversations: int
) -> Draws:
    """Gold against labels in each conversation: `(conversations, classes, classes)`."""
    counts = np.zeros((conversations, len(FINE), len(FINE)))
    for place, actual, guess in zip(places, gold, labels, strict=True):
        counts[place, FINE.index(actual), FINE.index(guess)] += 1
    return counts


def _three_way_accuracy(counts: Draws, weights: Draws) -> Draws:
    coarse = np.array([coarsen(label, "three_way") for label in FINE])
    return _share(counts, weights, coarse[:, None] == coarse)


def _fine_accuracy(counts: Draws, weights: Draws) -> Draws:
    return _share(counts, weights, np.eye(len(FINE), dtype=bool))


def _fine_macro_f1(counts: Draws, weights: Draws) -> Draws:
    tables = np.tensordot(weights, counts, axes=1)
    right = tables.diagonal(axis1=1, axis2=2)
    involved = tables.sum(1) + tables.sum(2)
    # a class that nobody used has no F1, as in `evaluate_labels`
    scores = 2 * right / np.where(involved > 0, involved, 1)
    macro: Draws = scores.sum(1) / (involved > 0).sum(1)
    return macro


def _share(counts: Draws, weights: Draws, right: npt.NDArray[np.bool_]) -> Draws:
    share: Draws = (weights @ counts[:, right].sum(1)) / (weights @ counts.sum((1, 2)))
    return share


_METRICS = {
    "three_way_accuracy": _three_way_accuracy,
    "fine_accuracy": _fine_accuracy,
    "fine_macro_f1": _fine_macro_f1,
}
