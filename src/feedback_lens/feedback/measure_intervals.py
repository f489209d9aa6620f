"""95% intervals of the measures of `evaluate_labels`, over conversations.

What is a share of turns (precision and recall are, too) has the interval of `estimate_share`, which
tells something of a share of 0 or 1; F1 and averages over classes have percentile bootstraps.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_lens.analysis.intervals import estimate_share, percentile_interval
from feedback_lens.feedback.agreement import Tables
from feedback_lens.feedback.evaluation import FEEDBACK, UNLABELED, view
from feedback_lens.feedback.labels import GRANULARITIES, NEUTRAL

Turns = npt.NDArray[np.bool_]
OUTCOMES = {
    "false_positive": (NEUTRAL, FEEDBACK),
    "true_positive": (FEEDBACK, FEEDBACK),
    "true_negative": (NEUTRAL, NEUTRAL),
    "unlabeled_neutral": (NEUTRAL, UNLABELED),
}
MEASURES = ("precision", "recall", "f1")


def bound_binary(
    gold: Sequence[str], predicted: Sequence[str | None], conversations: Sequence[str]
) -> dict[str, float | None]:
    """`<share>_low` and `<share>_high` of the shares of `binary_from_counts`, but the accuracy."""
    actual, guessed = (np.array(view(labels, "binary")) for labels in (gold, predicted))
    everything = np.full(len(actual), True)
    found = {
        name: ((actual == real) & (guessed == said), everything)
        for name, (real, said) in OUTCOMES.items()
    }
    found["false_negative"] = ((actual == FEEDBACK) & (guessed != FEEDBACK), everything)
    found |= _find_class(actual, guessed, FEEDBACK)
    return _bound(found, conversations)


def bound_classes(
    gold: Sequence[str], predicted: Sequence[str | None], conversations: Sequence[str]
) -> Iterator[tuple[str, dict[str, float | None]]]:
    """For each of the three classes the ends of its precision and recall."""
    actual, guessed = (np.array(view(labels, "three_way")) for labels in (gold, predicted))
    for name in GRANULARITIES["three_way"]:
        yield name, _bound(_find_class(actual, guessed, name), conversations)


def _find_class(actual: npt.NDArray[Any], guessed: npt.NDArray[Any], name: str) -> dict[str, Any]:
    right = (actual == name) & (guessed == name)
    return {"precision": (right, guessed == name), "recall": (right, actual == name)}


def _bound(
    found: Mapping[str, tuple[Turns, Turns]], conversations: Sequence[str]
) -> dict[str, float | None]:
    """`found`: by name, which turns are hits, and which are tried at all."""
    _, places = np.unique(np.asarray(conversations), return_inverse=True)
    ends: dict[str, float | None] = {}
    for name, (hits, trials) in found.items():
        share = estimate_share(np.bincount(places, hits), np.bincount(places, trials))
        ends |= {f"{name}_{end}": share[end] for end in ("low", "high")}
    return ends


def bound_averages(tables: Tables, names: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """The ends of each class' F1, and of precision, recall and F1 of the two averages.

    `tables` are resamples of `coarsen_tables`, whose first labels are `names`; the averages are
    over the classes that occur in the resample.
    """
    hits, seen, said = _count_classes(tables, len(names))
    used = np.where(seen + said > 0, 1.0, 0.0)
    with np.errstate(invalid="ignore"):
        draws = {
            "precision": np.nan_to_num(hits / said),
            "recall": np.nan_to_num(hits / seen),
            "f1": 2 * hits / (seen + said),
        }
        weights = {"macro": used, "weighted": seen}
        averages = {
            name: {
                measure: (np.nan_to_num(draws[measure]) * weight).sum(1) / weight.sum(1)
                for measure in MEASURES
            }
            for name, weight in weights.items()
        }
    classes = {name: {"f1": draws["f1"][:, place]} for place, name in enumerate(names)}
    return {name: _bound_draws(measured) for name, measured in (averages | classes).items()}


def _count_classes(tables: Tables, classes: int) -> tuple[Tables, Tables, Tables]:
    """Turns of each class by resample: found, in gold, and predicted."""
    hits = np.diagonal(tables, axis1=1, axis2=2)[:, :classes]
    return hits, tables.sum(2)[:, :classes], tables.sum(1)[:, :classes]


def _bound_draws(measured: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, float | None]:
    ends: dict[str, float | None] = {}
    for name, draws in measured.items():
        ends[f"{name}_low"], ends[f"{name}_high"] = percentile_interval(draws)
    return ends
