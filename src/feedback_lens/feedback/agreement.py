"""Two label sets of the same turns against each other, with intervals over conversations.

Intervals are 95% percentile bootstraps. Whole conversations are drawn (`conversations` names each
turn's), as their turns are alike; with fewer than two there is no interval.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import cohen_kappa_score

from feedback_lens.analysis.intervals import Interval, percentile_interval, resample_totals
from feedback_lens.feedback.evaluation import UNLABELED, view
from feedback_lens.feedback.labels import FINE, GRANULARITIES

Tables = npt.NDArray[np.float64]  # turns by first and second label, (resamples, labels, labels)


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
    """The interval of Cohen's kappa."""
    classes = sorted({*first, *second})
    tables = resample_tables(first, second, conversations, classes, resamples, seed)
    return percentile_interval(list_kappas(tables))


def measure_agreement(
    first: Sequence[str],
    second: Sequence[str],
    conversations: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Cohen's `kappa` of fine labels at each granularity, with its interval `low`, `high`.

    All granularities rest on the same draws.
    """
    tables = resample_tables(first, second, conversations, FINE, resamples, seed)
    measures = {}
    for granularity in GRANULARITIES:
        low, high = percentile_interval(list_kappas(coarsen_tables(tables, FINE, granularity)))
        kappa = cohen_kappa(view(first, granularity), view(second, granularity))
        measures[granularity] = {"kappa": kappa, "low": low, "high": high}
    return measures


def resample_tables(
    first: Sequence[str | None],
    second: Sequence[str | None],
    conversations: Sequence[str],
    classes: Sequence[str | None],
    resamples: int,
    seed: int,
) -> Tables:
    """The table of turns by first and second label in each resample of the conversations.

    The labels are in the order of `classes`; no table with fewer than two conversations.
    """
    codes = {label: code for code, label in enumerate(classes)}
    names, places = np.unique(np.asarray(conversations), return_inverse=True)
    rows = np.array([codes[label] for label in first], dtype=int)
    columns = np.array([codes[label] for label in second], dtype=int)
    # a draw of conversations is a weighted sum of their tables
    tables = np.zeros((len(names), len(codes), len(codes)))
    np.add.at(tables, (places, rows, columns), 1)
    if len(names) < 2:
        return tables[:0]
    return resample_totals(tables, resamples, np.random.default_rng(seed))


def coarsen_tables(tables: Tables, classes: Sequence[str | None], granularity: str) -> Tables:
    """Tables of fine labels (null: unlabeled) at a granularity: its labels, then `unlabeled`."""
    coarse = [*GRANULARITIES[granularity], UNLABELED]
    members = np.array([[name == seen for name in coarse] for seen in view(classes, granularity)])
    merged: Tables = members.T @ tables @ members
    return merged


def list_kappas(tables: Tables) -> npt.NDArray[np.float64]:
    """Cohen's kappa of each table; not a number where it holds a single label."""
    total = tables.sum((1, 2))
    agreed = tables.trace(axis1=1, axis2=2)
    by_chance = (tables.sum(1) * tables.sum(2)).sum(1)
    with np.errstate(invalid="ignore"):
        kappas: npt.NDArray[np.float64] = (total * agreed - by_chance) / (total**2 - by_chance)
    return kappas


def list_accuracies(tables: Tables) -> npt.NDArray[np.float64]:
    """The share of equal labels of each table."""
    accuracies: npt.NDArray[np.float64] = tables.trace(axis1=1, axis2=2) / tables.sum((1, 2))
    return accuracies


def list_macro_f1s(tables: Tables, classes: int) -> npt.NDArray[np.float64]:
    """The mean F1 of each table, over those of its first `classes` labels that occur in it."""
    found = 2 * np.diagonal(tables, axis1=1, axis2=2)[:, :classes]
    used = (tables.sum(1) + tables.sum(2))[:, :classes]
    with np.errstate(invalid="ignore"):
        f1s: npt.NDArray[np.float64] = np.nanmean(found / used, axis=1)
    return f1s
