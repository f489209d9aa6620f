"""Figures 2 and 6: labels by turn and in all, as annotators and as detectors say."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from feedback_lens.feedback.labels import DESCRIPTIONS, FINE
from feedback_lens.report.inputs import Inputs, Points, count_labeled
from feedback_lens.report.plots.charts import Chart, draw_points, draw_stacks
from feedback_lens.report.plots.series import number_series
from feedback_lens.report.plots.svg import Mark

LABELS = {label: f"{label} {description}" for label, description in DESCRIPTIONS.items()}


def list_feedback_charts(inputs: Inputs) -> list[Chart]:
    """Figure 2 of each gold set and corpus, and Figure 6 of all gold sets and of all corpora."""
    detectors = inputs.axes.corpora
    turns = [
        _draw_turns(f"gold set {name}, by annotators", points)
        for name, points in inputs.points["turn_distribution_gold"].items()
    ]
    turns += [
        _draw_turns(f"corpus {name}, by the detector {detectors[name]}", points)
        for name, points in inputs.points["turn_distribution"].items()
    ]
    counts = {
        "gold sets, by annotators": inputs.metrics["count_feedback_gold"],
        "corpora, by their detectors": inputs.metrics["count_feedback"],
    }
    return [*turns, *(_draw_labels(kind, found) for kind, found in counts.items() if found)]


def _draw_turns(what: str, points: Points) -> Chart:
    rows = []
    for turn, members in groupby(points, key=lambda point: point["turn"]):
        cells = list(members)
        total = sum(int(cell["count"]) for cell in cells)
        shares = {cell["label"]: float(cell["share"] or 0) for cell in cells}
        rows.append((f"turn {turn}", f"n = {total}", shares))
    title = f"Labels by user turn: {what} (share of the labeled turns)"
    return draw_stacks(title, rows, tuple(LABELS.items()))


def _draw_labels(what: str, counts: Mapping[str, Mapping[str, Any]]) -> Chart:
    series = number_series(list(counts))
    rows = [
        (label, [_mark(style, counts[name]["by_label"][label]) for style, name in series])
        for label in FINE
    ]
    legend = [(style, f"{name} (n = {count_labeled(counts[name])})") for style, name in series]
    title = f"Labels in all: {what} (share of the labeled turns, 95% interval)"
    return draw_points(title, rows, legend, lines=(0.0,))


def _mark(style: str, cell: Mapping[str, Any]) -> Mark:
    return Mark(style, cell["share"], low=cell["low"], high=cell["high"])
