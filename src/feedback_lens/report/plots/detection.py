"""Confusion matrices of the detectors, and the local one's confidence."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from feedback_lens.feedback.evaluation import UNLABELED
from feedback_lens.feedback.labels import FINE
from feedback_lens.report.inputs import Inputs, Points
from feedback_lens.report.plots.charts import Chart, draw_matrix
from feedback_lens.report.plots.curves import SHARES, draw_curves
from feedback_lens.report.tables.local import PREDICTORS

FITTED = {"local": "series-0", "minilm": "series-1"}
KEPT = {
    "share_kept": ("share of the turns that is labeled", "series-1"),
    "three_way_accuracy": ("three-way accuracy of these", "series-2"),
    "accuracy": ("fine accuracy of these", "series-0"),
}


def list_detection_charts(inputs: Inputs) -> list[Chart]:
    """The curves of the local detector, and a matrix for each gold set and detector."""
    return [
        _draw_reliability(inputs.curves["calibration"]),
        _draw_abstention(inputs.curves["abstention"]),
        *_draw_confusions(inputs),
    ]


def _draw_confusions(inputs: Inputs) -> Iterator[Chart]:
    for name, points in inputs.points["confusion"].items():
        for detector in inputs.axes.detectors:
            counts = Counter(
                (point["actual"], point["predicted"])
                for point in points
                if point["detector"] == detector
            )
            unlabeled = any(column == UNLABELED for _, column in counts)
            columns = (*FINE, UNLABELED) if unlabeled else FINE
            title = f"Gold labels against the {detector} detector's, {name} (turns)"
            yield draw_matrix(title, FINE, columns, counts)


def _draw_reliability(points: Points) -> Chart:
    curves, legend = [], []
    for name, style in FITTED.items():
        for variant, dashed in ((name, False), (f"{name}_uncalibrated", True)):
            rows = [point for point in points if point["detector"] == variant]
            places = [(float(row["confidence"]), float(row["accuracy"])) for row in rows]
            curves.append((f"{style} uncalibrated" if dashed else style, places))
        legend.append((style, PREDICTORS[name]))
    title = "Accuracy by confidence, out of fold (shares of turns)"
    sides = ("mean confidence", "accuracy")
    chart = draw_curves(title, curves, legend, sides, ticks=(SHARES, SHARES), diagonal=True)
    return replace(chart, note="Solid: calibrated; dashed: before. A point is a bin of confidence.")


def _draw_abstention(points: Points) -> Chart:
    rows = [point for point in points if point["detector"] == "local"]
    curves = [
        (style, [(float(row["threshold"]), float(row[column])) for row in rows])
        for column, (_, style) in KEPT.items()
    ]
    legend = [(style, name) for name, style in KEPT.values()]
    title = "The local detector when it abstains below a confidence, out of fold (shares)"
    sides = ("threshold (label.abstain_below)", "share")
    return draw_curves(title, curves, legend, sides, ticks=(SHARES, SHARES))
