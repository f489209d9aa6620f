"""The local detector out of fold: beside its baselines, and how far its confidence is right."""

from collections.abc import Mapping
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE
from feedback_lens.report.tables.rows import Table, compare
from feedback_lens.report.tables.values import (
    Value,
    before_and_after,
    ours,
    ours_with_interval,
    percent,
)

PREDICTORS = {
    "local": "local detector",
    "minilm": "sentence embeddings (all-MiniLM-L6-v2)",
    "keywords": "keywords",
    "majority": "most frequent label",
}
MEASURES = ("three_way_accuracy", "fine_accuracy", "fine_macro_f1")
DIFFERENCE = ("difference", "low", "high")


def list_local_tables(inputs: Inputs) -> list[Table]:
    """The local detector beside its baselines, and its calibration."""
    metrics = inputs.metrics["fit_detector"]
    return [_show_predictors(metrics), _show_calibration(metrics["calibration"])]


def _show_predictors(metrics: Mapping[str, Any]) -> Table:
    found = {
        f"{label} (n = {metrics[name]['turns']})": [
            _percent(metrics[name]["three_way"]["accuracy"]),
            _percent(metrics[name]["fine"]["accuracy"]),
            _percent(metrics[name]["fine"]["macro"]["f1"]),
        ]
        for name, label in PREDICTORS.items()
    }
    differences = {
        pair.replace("_minus_", " − "): [
            ours_with_interval([percent(measures[m][key]) for key in DIFFERENCE], 1)
            for m in MEASURES
        ]
        for pair, measures in metrics["differences"].items()
    }
    return Table(
        "Local detector",
        f"The local detector beside baselines {BESIDE}",
        "percent, on the gold that it is fitted on, out of fold: each turn by heads that did not "
        "see its conversation; differences in points with a 95% interval over conversations",
        ("three-way accuracy", "fine accuracy", "fine macro-F1"),
        (compare("Out of fold", None, found), compare("Differences", None, differences)),
    )


def _show_calibration(metrics: Mapping[str, Any]) -> Table:
    found = {PREDICTORS[name]: _describe(said) for name, said in metrics.items()}
    return Table(
        "Calibration",
        f"How far the confidence can be trusted {BESIDE}",
        "before → after temperature scaling, out of fold; expected error in percent (mean distance "
        "of confidence and accuracy), Brier score 0 to 2, negative log-likelihood in nats; a "
        "temperature above 1 makes the probabilities less sure",
        ("expected error (ECE)", "Brier score", "negative log-likelihood", "temperature"),
        (compare("Out of fold", None, found),),
    )


def _describe(said: Mapping[str, Any]) -> list[Value]:
    when = {"before": said["uncalibrated"], "after": said["calibrated"]}
    error = {name: percent(measures["expected_error"]) for name, measures in when.items()}
    return [
        before_and_after(error, 1),
        *(
            before_and_after({name: measures[key] for name, measures in when.items()}, 3)
            for key in ("brier", "negative_log_likelihood")
        ),
        ours(said["temperature"], 2),
    ]


def _percent(number: float) -> Value:
    return ours(percent(number), 1)
