"""Detectors against a gold set, beside two annotators against each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError
from feedback_lens.feedback.agreement import accuracy_interval, cohen_kappa, kappa_interval
from feedback_lens.feedback.evaluation import confusion, evaluate_labels, view
from feedback_lens.feedback.labels import GRANULARITIES, NEUTRAL
from feedback_lens.tables import read_rows

Key = tuple[str, int]
Gold = Mapping[Key, str]
Predictions = Mapping[Key, str | None]
CONFUSION_POINTS = ("detector", "actual", "predicted")


def read_predictions(folder: Path, detectors: Sequence[str]) -> dict[str, dict[Key, str | None]]:
    """The labels that each detector gave, by conversation and turn, from `<detector>.parquet`.

    Raises:
        InputError: a detector's table is missing or unreadable.
    """
    tables = {
        name: read_rows(folder / f"{name}.parquet", ["conversation_id", "turn", "label"])
        for name in detectors
    }
    return {
        name: {(row["conversation_id"], row["turn"]): row["label"] for row in rows}
        for name, rows in tables.items()
    }


def evaluate_detectors(
    gold: Gold, second: Gold, predictions: Mapping[str, Predictions], resamples: int, seed: int
) -> dict[str, Any]:
    """Metrics of each detector under its name, and of the two annotators under `annotators`.

    A detector's are those of `evaluate_labels` with `accuracy_low` and `accuracy_high` beside
    each accuracy, `kappa` at three granularities, `conversations` and `missing_turns` (gold turns
    that its table lacks, which are not evaluated) and `predicted_per_conversation` (turns it calls
    feedback). Intervals are at 95%, over conversations.

    Raises:
        InputError: a detector, or the second annotator, has none of the gold turns.

    Source: paper section 3.2, Tables 2 and 6-11.
    """
    return {
        **{
            name: _evaluate_detector(gold, _share(gold, table, name), table, resamples, seed)
            for name, table in predictions.items()
        },
        "annotators": _compare_annotators(gold, second, resamples, seed),
    }


def list_confusions(gold: Gold, predictions: Mapping[str, Predictions]) -> list[dict[str, str]]:
    """One row for each detector and evaluated turn: `detector`, `actual`, `predicted`, fine."""
    return [
        {"detector": name, **row}
        for name, table in predictions.items()
        for row in confusion(*_pair(gold, table, _share(gold, table, name)), "fine")
    ]


def _share(gold: Gold, other: Predictions, name: str) -> list[Key]:
    keys = [key for key in gold if key in other]
    if not keys:
        raise InputError(
            f"{name}: none of the {len(gold)} gold turns is labeled; "
            "gold set and labels must be of one corpus"
        )
    return keys


def _pair(
    gold: Gold, other: Predictions, keys: Sequence[Key]
) -> tuple[list[str], list[str | None]]:
    return [gold[key] for key in keys], [other[key] for key in keys]


def _evaluate_detector(
    gold: Gold, keys: Sequence[Key], table: Predictions, resamples: int, seed: int
) -> dict[str, Any]:
    actual, predicted = _pair(gold, table, keys)
    conversations = [identifier for identifier, _ in keys]
    metrics = evaluate_labels(actual, predicted)
    for granularity in GRANULARITIES:
        sides = view(actual, granularity), view(predicted, granularity)
        low, high = accuracy_interval(*sides, conversations, resamples, seed)
        metrics[granularity] |= {"accuracy_low": low, "accuracy_high": high}
    feedback = sum(label not in (None, NEUTRAL) for label in predicted)
    return {
        **metrics,
        "conversations": len(set(conversations)),
        "missing_turns": len(gold) - len(keys),
        "predicted_per_conversation": feedback / len(set(conversations)),
        "kappa": _measure_kappas(actual, predicted, conversations, resamples, seed),
    }


def _compare_annotators(gold: Gold, second: Gold, resamples: int, seed: int) -> dict[str, Any]:
    keys = _share(gold, second, "second annotator")
    conversations = [identifier for identifier, _ in keys]
    return {
        "turns": len(keys),
        "conversations": len(set(conversations)),
        "kappa": _measure_kappas(*_pair(gold, second, keys), conversations, resamples, seed),
    }


def _measure_kappas(
    first: Sequence[str | None],
    second: Sequence[str | None],
    conversations: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, dict[str, float | None]]:
    kappas = {}
    for granularity in GRANULARITIES:
        sides = view(first, granularity), view(second, granularity)
        low, high = kappa_interval(*sides, conversations, resamples, seed)
        kappas[granularity] = {"kappa": cohen_kappa(*sides), "low": low, "high": high}
    return kappas
