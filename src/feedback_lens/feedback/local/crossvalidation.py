"""The local detector and what it is held against, on gold turns that none of them has seen."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from feedback_lens.feedback.evaluation import evaluate_labels
from feedback_lens.feedback.keywords import label_by_keywords
from feedback_lens.feedback.local.calibration import (
    Numbers,
    list_abstention,
    list_reliability,
    measure_calibration,
)
from feedback_lens.feedback.local.detector import Detector, Gold
from feedback_lens.feedback.local.differences import compare_detectors
from feedback_lens.feedback.local.features import Key, build_features
from feedback_lens.feedback.local.folds import NOTHING_CUT, Origins
from feedback_lens.feedback.local.heads import Folds, Heads, fit_heads
from feedback_lens.feedback.local.sentences import embed_turns
from feedback_lens.logs.conversation import Conversation

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Probabilities:
    """What heads say of gold turns that they did not see, shape `(turns, classes)` each."""

    classes: tuple[str, ...]
    calibrated: Numbers
    uncalibrated: Numbers
    temperature: float

    @property
    def labels(self) -> list[str]:
        """The likeliest label of each turn."""
        return [self.classes[best] for best in self.calibrated.argmax(1)]


@dataclass(frozen=True)
class OutOfFold:
    """Gold turns and what each predictor says of them, fitted without the fold they stand in.

    `fitted` are those with probabilities: `local`, the detector, and `minilm`, heads of the same
    folds over sentence embeddings of all-MiniLM-L6-v2. `labels` are theirs and those of `keywords`,
    the first cue found (nothing is fitted), and `majority`, the most frequent gold label of the
    other folds. `origins` names the conversation of the log behind each exchange cut out of one.
    """

    keys: list[Key]
    actual: list[str]
    fitted: Mapping[str, Probabilities]
    labels: Mapping[str, list[str]]
    origins: Origins = field(default_factory=lambda: NOTHING_CUT)


def predict_out_of_fold(
    detector: Detector,
    conversations: Sequence[Conversation],
    gold: Gold,
    regularization: float,
    origins: Origins = NOTHING_CUT,
) -> OutOfFold:
    """Label the gold turns that the detector was fitted on, by heads that did not see them."""
    annotated = {identifier for identifier, _ in gold}
    known = [c for c in conversations if c.conversation_id in annotated]
    features, keys = build_features(known)
    rows = [row for row, key in enumerate(keys) if key in gold]
    keys = [keys[row] for row in rows]
    actual = [gold[key] for key in keys]
    folds = detector.find_heads(keys)
    sentences = embed_turns(known)[0][rows]
    count = len(detector.heads.temperatures) - 1
    yardstick = fit_heads(sentences, actual, folds, count, regularization, ())
    fitted = {
        "local": _predict(detector.heads, features[rows], folds),
        "minilm": _predict(yardstick, sentences, folds),
    }
    turns = {c.conversation_id: c.user_turns for c in known}
    labels = {
        **{name: found.labels for name, found in fitted.items()},
        "keywords": [label_by_keywords(turns[name][turn - 1]) for name, turn in keys],
        "majority": _find_majorities(actual, folds),
    }
    return OutOfFold(keys, actual, fitted, labels, origins)


def evaluate_out_of_fold(found: OutOfFold, bins: int, resamples: int, seed: int) -> dict[str, Any]:
    """Metrics of each predictor under its name, as `evaluate_labels` gives them.

    `differences` holds `local_minus_minilm` and `local_minus_keywords`, as `compare_detectors`
    gives them; `calibration`, for each fitted one, the `temperature` of the head of all gold and
    `measure_calibration` of its `uncalibrated` and `calibrated` probabilities: a turn's temperature
    was fitted on other folds than its own.
    """
    groups = [found.origins.get(identifier, identifier) for identifier, _ in found.keys]
    return {
        **{name: evaluate_labels(found.actual, given) for name, given in found.labels.items()},
        "differences": {
            f"local_minus_{name}": compare_detectors(
                found.actual, found.labels["local"], found.labels[name], groups, resamples, seed
            )
            for name in ("minilm", "keywords")
        },
        "calibration": {
            name: {
                "temperature": said.temperature,
                "uncalibrated": measure_calibration(said.uncalibrated, actual, bins),
                "calibrated": measure_calibration(said.calibrated, actual, bins),
            }
            for name, said, actual in _each_fitted(found)
        },
    }


def draw_calibration(found: OutOfFold, bins: int) -> Rows:
    """The points `CALIBRATION_POINTS` of each fitted predictor, and of `<name>_uncalibrated`."""
    return [
        row
        for name, said, actual in _each_fitted(found)
        for variant, given in (
            (name, said.calibrated),
            (f"{name}_uncalibrated", said.uncalibrated),
        )
        for row in list_reliability(variant, given, actual, bins)
    ]


def draw_abstention(found: OutOfFold) -> Rows:
    """The points `ABSTENTION_POINTS` of each fitted predictor, by calibrated confidence."""
    return [
        row
        for name, said, actual in _each_fitted(found)
        for row in list_abstention(name, said.calibrated, actual, said.classes)
    ]


def _each_fitted(found: OutOfFold) -> list[tuple[str, Probabilities, Folds]]:
    return [
        (name, said, np.searchsorted(said.classes, found.actual))
        for name, said in found.fitted.items()
    ]


def _find_majorities(actual: Sequence[str], folds: Folds) -> list[str]:
    """For each turn the most frequent label of the other folds; of equal ones the first."""
    places = folds.tolist()
    majority = {
        fold: Counter(
            label for label, place in zip(actual, places, strict=True) if place != fold
        ).most_common(1)[0][0]
        for fold in set(places)
    }
    return [majority[fold] for fold in places]


def _predict(heads: Heads, features: sparse.csr_array, folds: Folds) -> Probabilities:
    return Probabilities(
        heads.classes,
        heads.probabilities(features, folds),
        heads.probabilities(features, folds, calibrated=False),
        float(heads.temperatures[-1]),
    )
