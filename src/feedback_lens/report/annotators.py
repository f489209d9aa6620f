"""Annotators are people: a page to show to others does not name them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

from feedback_lens.feedback.gold.annotators import GOLD
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.plots.plot import Plot


def hide_annotators(inputs: Inputs) -> Inputs:
    """The same with `annotator 1`, `annotator 2`, ... for those beside the gold.

    Who stands in several gold sets has one number. The names of files give the order.
    """
    counts = inputs.metrics["read_gold"]
    people = sorted({name for own in counts.values() for name in own["annotators"]} - {GOLD})
    names = {name: f"annotator {number}" for number, name in enumerate(people, 1)}
    evaluated = inputs.metrics["evaluate_detector"]
    metrics = {
        "read_gold": {
            gold_set: {**own, "annotators": dict(_rename(own["annotators"], names))}
            for gold_set, own in counts.items()
        },
        "evaluate_detector": {
            gold_set: {**own, "agreement": dict(_rename(own["agreement"], _pair(inputs, names)))}
            for gold_set, own in evaluated.items()
        },
    }
    plots = [_hide(plot, names) if plot.name == "confusion" else plot for plot in inputs.plots]
    return replace(inputs, metrics={**inputs.metrics, **metrics}, plots=plots)


def _pair(inputs: Inputs, names: Mapping[str, str]) -> dict[str, str]:
    label_sets = {name: name for name in (GOLD, *inputs.axes.detectors)} | dict(names)
    return {
        f"{one}_vs_{other}": f"{label_sets[one]}_vs_{label_sets[other]}"
        for one, other in permutations(label_sets, 2)
    }


def _rename(content: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name, own in content.items():
        yield names.get(name, name), own


def _hide(plot: Plot, names: Mapping[str, str]) -> Plot:
    points = [
        {**point, "detector": names.get(point["detector"], point["detector"])}
        for point in plot.points
    ]
    return replace(plot, points=points)
