"""All detectors side by side, on each gold set."""

from collections.abc import Mapping
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE, name_gold_set
from feedback_lens.report.tables.rows import Table, compare
from feedback_lens.report.tables.values import Value, ours, ours_with_interval, percent

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
    )


def _describe(metrics: Mapping[str, Any]) -> list[Value]:
    sizes = ("turns", "missing_turns", "abstained", "unlabeled")
    return [
        *(ours(metrics[name], 0) for name in sizes),
        ours(metrics["predicted_per_conversation"], 2),
        describe_share(metrics["three_way"], "accuracy"),
        describe_share(metrics["fine"], "accuracy"),
        describe_share(metrics["fine"]["macro"], "f1"),
    ]


def describe_share(metrics: Mapping[str, Any], name: str) -> Value:
    """A measure of a detector in percent, with its interval."""
    keys = (name, f"{name}_low", f"{name}_high")
    return ours_with_interval([percent(metrics[key]) for key in keys], 1)
