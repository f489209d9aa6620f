"""All detectors side by side, on each gold set."""

from collections.abc import Mapping
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE, name_gold_set
from feedback_lens.report.tables.values import (
    Table,
    Value,
    compare,
    ours,
    ours_with_interval,
    percent,
)

ACCURACY = ("accuracy", "accuracy_low", "accuracy_high")
COLUMNS = (
    "turns",
    "missing",
    "abstained",
    "unlabeled",
    "feedback found a conversation",
    "three-way accuracy",
    "fine accuracy",
    "fine macro-F1",
)


def show_detectors(inputs: Inputs) -> Table:
    """How much each detector labels, and how well."""
    rows = [
        compare(
            name_gold_set(inputs.axes, name),
            None,
            {detector: _describe(metrics[detector]) for detector in inputs.axes.detectors},
        )
        for name, metrics in inputs.metrics["evaluate_detector"].items()
    ]
    return Table(
        "All detectors",
        f"The detectors side by side {BESIDE}",
        "accuracy and F1 in percent with 95% intervals over conversations; a turn without a label "
        "is wrong; missing: gold turns that the detector's table lacks; the local detector "
        "out of fold where it was fitted on the conversation",
        COLUMNS,
        tuple(rows),
        "",
    )


def _describe(metrics: Mapping[str, Any]) -> list[Value]:
    sizes = ("turns", "missing_turns", "abstained", "unlabeled")
    return [
        *(ours(metrics[name], 0) for name in sizes),
        ours(metrics["predicted_per_conversation"], 2),
        describe_accuracy(metrics["three_way"]),
        describe_accuracy(metrics["fine"]),
        describe_f1(metrics["fine"]["macro"]),
    ]


def describe_accuracy(metrics: Mapping[str, Any]) -> Value:
    """The accuracy at a granularity in percent, with its interval."""
    return ours_with_interval([percent(metrics[key]) for key in ACCURACY], 1)


def describe_f1(measures: Mapping[str, Any]) -> Value:
    """The F1 of a class or average in percent, with its interval where there is one."""
    figures = [measures["f1"], measures.get("f1_low"), measures.get("f1_high")]
    return ours_with_interval([percent(figure) for figure in figures], 1)
