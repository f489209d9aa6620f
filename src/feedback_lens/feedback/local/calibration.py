"""How far a detector's confidence can be trusted, and what abstaining below a threshold gains.

Source: Guo et al. 2017 (temperature scaling, expected calibration error, reliability diagrams).
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from feedback_lens.feedback.labels import coarsen

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

CALIBRATION_POINTS: Final = ("detector", "bin", "confidence", "accuracy", "turns")
ABSTENTION_POINTS: Final = (
    "detector",
    "threshold",
    "share_kept",
    "accuracy",
    "three_way_accuracy",
    "turns",
)
THRESHOLDS: Final = tuple(step / 20 for step in range(20))  # 0 to 0.95
# a probability of nothing for what happened would make the mean likelihood infinite
_LEAST_PROBABILITY: Final = 1e-12
_TEMPERATURES: Final = (0.05, 20.0)


def fit_temperature(scores: Numbers, actual: Indices) -> float:
    """The number by which logits `(rows, classes)` are divided so that they fit best.

    It minimizes the negative log-likelihood of the actual classes; within 0.05 and 20.
    """
    from scipy.optimize import minimize_scalar

    centered = scores - scores.max(1, keepdims=True)
    chosen = centered[np.arange(len(actual)), actual]

    def loss(logarithm: float) -> float:
        temperature = np.exp(logarithm)
        likelihood = chosen / temperature - np.log(np.exp(centered / temperature).sum(1))
        return float(-np.maximum(likelihood, np.log(_LEAST_PROBABILITY)).mean())

    bounds = tuple(np.log(_TEMPERATURES))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def measure_calibration(probabilities: Numbers, actual: Indices, bins: int) -> dict[str, float]:
    """How well probabilities `(turns, classes)` say how often each class is right.

    `expected_error` (ECE, 0 to 1): mean distance of confidence and accuracy over bins of
    confidence of equal width, weighted by turns. `brier` (0 to 2): squared error summed over
    classes. `negative_log_likelihood` in nats, 0 or more. Means over turns.
    """
    rows = np.arange(len(actual))
    truth = np.zeros_like(probabilities)
    truth[rows, actual] = 1
    chosen = np.maximum(probabilities[rows, actual], _LEAST_PROBABILITY)
    points = list_reliability("", probabilities, actual, bins)
    distances = [abs(p["confidence"] - p["accuracy"]) * p["turns"] for p in points]
    return {
        "expected_error": sum(distances) / len(actual),
        "brier": float(((probabilities - truth) ** 2).sum(1).mean()),
        "negative_log_likelihood": float(-np.log(chosen).mean()),
    }


def list_reliability(
    detector: str, probabilities: Numbers, actual: Indices, bins: int
) -> list[dict[str, Any]]:
    """Rows of a reliability diagram, one for each bin of confidence that holds turns.

    `bin` is its lower end; `confidence` and `accuracy` (fine) are means over its `turns`.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == actual
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "detector": detector,
            "bin": round(place / bins, 4),
            "confidence": float(confidence[number == place].mean()),
            "accuracy": float(right[number == place].mean()),
            "turns": int((number == place).sum()),
        }
        for place in np.unique(number).tolist()
    ]


def list_abstention(
    detector: str, probabilities: Numbers, actual: Indices, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """What is left when turns of a confidence below each threshold are not labeled.

    One row a threshold that leaves turns: `share_kept` of all turns, and of those kept their
    number `turns`, the fine `accuracy` and the `three_way_accuracy`.
    """
    confidence, guessed = probabilities.max(1), probabilities.argmax(1)
    coarse = np.array([coarsen(label, "three_way") for label in classes])
    right, nearly = guessed == actual, coarse[guessed] == coarse[actual]
    return [
        {
            "detector": detector,
            "threshold": threshold,
            "share_kept": float(kept.mean()),
            "accuracy": float(right[kept].mean()),
            "three_way_accuracy": float(nearly[kept].mean()),
            "turns": int(kept.sum()),
        }
        for threshold in THRESHOLDS
        if (kept := confidence >= threshold).any()
    ]
