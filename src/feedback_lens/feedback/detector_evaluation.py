"""Detectors against a gold set, and all label sets of it against each other."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from feedback_lens.analysis.intervals import percentile_interval
from feedback_lens.errors import InputError
from feedback_lens.feedback.agreement import (
    coarsen_tables,
    list_accuracies,
    list_macro_f1s,
    measure_agreement,
    resample_tables,
)
from feedback_lens.feedback.evaluation import confusion, evaluate_labels
from feedback_lens.feedback.gold.annotators import GOLD, Key
from feedback_lens.feedback.label_sets import LabelSets, Predictions
from feedback_lens.feedback.labels import FINE, GRANULARITIES, NEUTRAL
from feedback_lens.feedback.measure_intervals import (
    bound_averages,
    bound_binary,
    bound_classes,
)

CONFUSION_POINTS: Final = ("detector", "actual", "predicted")
CLASSES: Final = (*FINE, None)


def evaluate_detectors(sets: LabelSets, resamples: int, seed: int) -> dict[str, Any]:
    """Metrics of each detector under its name, and the `agreement` of any two label sets.

    A detector's are those of `evaluate_labels` over the gold turns that its table holds, with 95%
    intervals over conversations (`x_low` and `x_high` beside x): of each accuracy, the shares of
    `binary`, all measures of `three_way`, and the fine macro F1. `missing_turns` are gold turns
    that its table lacks, `abstained` those left unlabeled for a low confidence, `coverage` the
    share that is labeled and `accuracy_of_labeled` the accuracies over that share alone (null
    without any), `predicted_per_conversation` the turns called feedback by conversation of the log.
    `as_published` holds the metrics over the turns that the paper counts (`list_published`); null
    of none.

    Raises:
        InputError: a detector's table has none of the gold turns.

    Source: paper section 3.2, Tables 2 and 6-11.
    """
    return {
        **{name: _evaluate_detector(sets, name, resamples, seed) for name in sets.predictions},
        "agreement": dict(_compare_all(sets, resamples, seed)),
    }


def list_confusions(sets: LabelSets) -> list[dict[str, str]]:
    """One row for each detector or further annotator and gold turn, labels fine.

    Columns `detector` (or annotator), `actual` (the gold label), `predicted`.
    """
    return [
        {"detector": name, **row}
        for name, labels in sets.list_labels().items()
        if name != GOLD
        for keys in [_share(sets.gold, labels)]
        for row in confusion(
            [sets.gold[key] for key in keys], [labels[key] for key in keys], "fine"
        )
    ]


def list_published(gold: Mapping[Key, str], predictions: Predictions) -> list[Key]:
    """The turns that the paper's tables count: with feedback by gold, or listed by the reply.

    So Table 6 counts 116 turns for the prompt of prior work, which lists feedback alone: the 107 of
    the sparse set, all of them feedback, and 9 false alarms, without a single true negative; and
    175 for its own prompt, which lists every turn: the same 107 and 68 more. What this reading does
    not give: in the sparse set detectors see but one labeled turn at a time, so the 9 and the 68
    must be turns that gold says nothing of, and are not here; and Table 7's dense counts (251 with
    211 of feedback and 22 true negatives for prior work, 137 or twice that for the paper's own)
    are not those of the published dense set, which has 433 turns and 275 of feedback.
    """
    return [
        key
        for key, label in gold.items()
        if key in predictions and (label != NEUTRAL or predictions[key].listed)
    ]


def _share(gold: Mapping[Key, str], other: Mapping[Key, Any]) -> list[Key]:
    return [key for key in gold if key in other]


def _evaluate_detector(sets: LabelSets, name: str, resamples: int, seed: int) -> dict[str, Any]:
    predictions = sets.predictions[name]
    keys = _share(sets.gold, predictions)
    if not keys:
        raise InputError(
            f"{name}: none of the {len(sets.gold)} gold turns is in its table; "
            "gold set and labels must be of one log"
        )
    found = [predictions[key] for key in keys]
    conversations = {sets.origin(key) for key in keys}
    labeled = [key for key in keys if predictions[key].label is not None]
    feedback = sum(predictions[key].label != NEUTRAL for key in labeled)
    published = list_published(sets.gold, predictions)
    return {
        **_evaluate_turns(sets, predictions, keys, resamples, seed),
        "conversations": len(conversations),
        "missing_turns": len(sets.gold) - len(keys),
        "predicted_per_conversation": feedback / len(conversations),
        "abstained": sum(prediction.outcome == "abstained" for prediction in found),
        "coverage": len(labeled) / len(keys),
        "accuracy_of_labeled": _measure_accuracies(sets.gold, predictions, labeled),
        "as_published": _evaluate_turns(sets, predictions, published, resamples, seed)
        if published
        else None,
    }


def _evaluate_turns(
    sets: LabelSets, predictions: Predictions, keys: Sequence[Key], resamples: int, seed: int
) -> dict[str, Any]:
    actual = [sets.gold[key] for key in keys]
    predicted = [predictions[key].label for key in keys]
    metrics = evaluate_labels(actual, predicted)
    origins = [sets.origin(key) for key in keys]
    tables = resample_tables(actual, predicted, origins, CLASSES, resamples, seed)
    for granularity, classes in GRANULARITIES.items():
        coarse = coarsen_tables(tables, CLASSES, granularity)
        low, high = percentile_interval(list_accuracies(coarse))
        metrics[granularity] |= {"accuracy_low": low, "accuracy_high": high}
        if granularity == "fine":
            low, high = percentile_interval(list_macro_f1s(coarse, len(classes)))
            metrics[granularity]["macro"] |= {"f1_low": low, "f1_high": high}
    metrics["binary"] |= bound_binary(actual, predicted, origins)
    coarse = coarsen_tables(tables, CLASSES, "three_way")
    for name, ends in bound_averages(coarse, GRANULARITIES["three_way"]).items():
        metrics["three_way"][name] |= ends
    for name, ends in bound_classes(actual, predicted, origins):
        metrics["three_way"][name] |= ends
    return metrics


def _measure_accuracies(
    gold: Mapping[Key, str], predictions: Predictions, keys: Sequence[Key]
) -> dict[str, float | None]:
    if not keys:
        return dict.fromkeys(GRANULARITIES)
    metrics = evaluate_labels([gold[key] for key in keys], [predictions[k].label for k in keys])
    return {name: metrics[name]["accuracy"] for name in GRANULARITIES}


def _compare_all(
    sets: LabelSets, resamples: int, seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The agreement of each two label sets over the turns that both label.

    `turns` and `conversations` are those; `unlabeled` are turns of both tables that one of the two
    leaves unlabeled, which are in no kappa.
    """
    for (one, first), (other, second) in combinations(sets.list_labels().items(), 2):
        shared = [(key, label, second[key]) for key, label in first.items() if key in second]
        both = [(key, a, b) for key, a, b in shared if a is not None and b is not None]
        origins = [sets.origin(key) for key, _, _ in both]
        yield (
            f"{one}_vs_{other}",
            {
                "turns": len(both),
                "conversations": len(set(origins)),
                "unlabeled": len(shared) - len(both),
                **measure_agreement(
                    first=[a for _, a, _ in both],
                    second=[b for _, _, b in both],
                    conversations=origins,
                    resamples=resamples,
                    seed=seed,
                ),
            },
        )
