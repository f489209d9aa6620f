"""Predicted labels against gold: shares, accuracy, precision, recall, F1."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sklearn.metrics import precision_recall_fscore_support

from feedback_lens.feedback.labels import GRANULARITIES, NEUTRAL, coarsen

UNLABELED = "unlabeled"
FEEDBACK = "FEEDBACK"


def evaluate_labels(gold: Sequence[str], predicted: Sequence[str | None]) -> dict[str, Any]:
    """Metrics of predicted fine labels, turn by turn; null is a turn the detector left unlabeled.

    An unlabeled turn is wrong in every accuracy and a miss in every recall. Shares are 0 to 1.
    `binary` is as `binary_from_counts` gives it; `three_way` and `fine` hold `accuracy`, `macro`
    and `weighted` averages over the classes that occur, and each class with its `support`.

    Raises:
        ValueError: no turns, or two lengths.

    Source: paper Tables 2 and 6-11.
    """
    if not gold or len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold and {len(predicted)} predicted labels")
    return {
        "turns": len(gold),
        "unlabeled": sum(label is None for label in predicted),
        "binary": _evaluate_binary(gold, predicted),
        "three_way": _evaluate_classes(gold, predicted, "three_way"),
        "fine": _evaluate_classes(gold, predicted, "fine"),
    }


def binary_from_counts(
    tp: int, fp: int, fn: int, tn: int, unlabeled_neutral: int = 0
) -> dict[str, float]:
    """Metrics of feedback against none, from numbers of turns.

    The five shares of turns add up to 1: `unlabeled_neutral` are turns without feedback that were
    left unlabeled, which are neither alarms nor right; unlabeled feedback is among `fn`.

    Source: paper Tables 6 and 7.
    """
    turns = tp + fp + fn + tn + unlabeled_neutral
    precision, recall, f1, _ = precision_recall_fscore_support(
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        sample_weight=[tp, fn, fp, tn + unlabeled_neutral],
        average="binary",
        zero_division=0,
    )
    return {
        "false_positive": fp / turns,
        "false_negative": fn / turns,
        "true_positive": tp / turns,
        "true_negative": tn / turns,
        "unlabeled_neutral": unlabeled_neutral / turns,
        "accuracy": (tp + tn) / turns,
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
    }


def confusion(
    gold: Sequence[str], predicted: Sequence[str | None], granularity: str
) -> list[dict[str, str]]:
    """One row a turn, `actual` and `predicted`, as DVC's confusion plot counts them."""
    pairs = zip(view(gold, granularity), view(predicted, granularity), strict=True)
    return [{"actual": actual, "predicted": guess} for actual, guess in pairs]


def view(labels: Sequence[str | None], granularity: str) -> list[str]:
    """Fine labels at a granularity; null becomes the class `unlabeled`."""
    return [UNLABELED if label is None else coarsen(label, granularity) for label in labels]


def _evaluate_binary(gold: Sequence[str], predicted: Sequence[str | None]) -> dict[str, float]:
    pairs = Counter(zip(view(gold, "binary"), view(predicted, "binary"), strict=True))
    return binary_from_counts(
        tp=pairs[FEEDBACK, FEEDBACK],
        fp=pairs[NEUTRAL, FEEDBACK],
        fn=pairs[FEEDBACK, NEUTRAL] + pairs[FEEDBACK, UNLABELED],
        tn=pairs[NEUTRAL, NEUTRAL],
        unlabeled_neutral=pairs[NEUTRAL, UNLABELED],
    )


def _evaluate_classes(
    gold: Sequence[str], predicted: Sequence[str | None], granularity: str
) -> dict[str, Any]:
    actual, guessed = view(gold, granularity), view(predicted, granularity)
    classes = GRANULARITIES[granularity]
    # a class that nobody used has no F1 and would pull the macro average down
    used = [name for name in classes if name in {*actual, *guessed}]
    pairs = zip(actual, guessed, strict=True)
    return {
        "accuracy": sum(a == g for a, g in pairs) / len(actual),
        "macro": _average(actual, guessed, used, "macro"),
        "weighted": _average(actual, guessed, used, "weighted"),
        **_evaluate_each(actual, guessed, classes),
    }


def _average(
    actual: Sequence[str], guessed: Sequence[str], classes: Sequence[str], average: str
) -> dict[str, float]:
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, guessed, labels=list(classes), average=average, zero_division=0
    )
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def _evaluate_each(
    actual: Sequence[str], guessed: Sequence[str], classes: Sequence[str]
) -> dict[str, dict[str, float]]:
    columns = precision_recall_fscore_support(
        actual, guessed, labels=list(classes), average=None, zero_division=0
    )
    return {
        name: {
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "support": int(support),
        }
        for name, precision, recall, f1, support in zip(classes, *columns, strict=True)
    }
