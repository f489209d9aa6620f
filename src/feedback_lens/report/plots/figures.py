"""Plots as the page shows them: a caption in words, and data that takes little room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.report.names import name_corpus, name_gold_set
from feedback_lens.report.plots.places import SECTIONS, Place
from feedback_lens.report.plots.plot import MADE_BY_DVC, Plot

NOTHING_RUN = {
    "corpora": "corpora has no entry",
    "gold_sets": "gold_sets has no entry",
    "trained": "run.models.corpora has no entry",
}


@dataclass(frozen=True)
class Figure:
    """A plot on the page; `missing` says why it has no points, and is empty where it has."""

    anchor: str
    caption: str
    rows: int
    missing: str
    place: Place


def list_figures(plots: Sequence[Plot], axes: Axes) -> dict[str, list[Figure]]:
    """Section -> its figures, in the order of plots.yaml; each plot stands in one."""
    sections: dict[str, list[Figure]] = {name: [] for name in SECTIONS}
    for plot in plots:
        sections.setdefault(plot.place.section, []).append(_show(plot, axes))
    return sections


def pack_plots(plots: Sequence[Plot]) -> dict[str, Any]:
    """Anchor -> `spec`, the specification without its points, `columns`, `rows` and `made`.

    A column is the list of its values, or its value where all rows have the same; `rows` is their
    number, `made` names the columns that are DVC's and none of the file's.
    """
    return {plot.anchor: _pack(plot.fill()) for plot in plots if plot.points}


def _show(plot: Plot, axes: Axes) -> Figure:
    title = plot.settings.get("title", plot.name)
    caption = ": ".join(part for part in (title, _name_cell(plot, axes)) if part)
    return Figure(plot.anchor, caption, len(plot.points), _explain(plot), plot.place)


def _name_cell(plot: Plot, axes: Axes) -> str:
    if plot.cell in axes.gold_sets and plot.place.axis == "gold_sets":
        return name_gold_set(axes, plot.cell)
    if plot.cell in axes.corpora and plot.place.axis in ("corpora", "trained"):
        found = "distribution" in plot.name  # the only plots whose labels a reader looks at
        by = f", by the {axes.corpora[plot.cell]} detector" if found else ""
        return name_corpus(plot.cell) + by
    return plot.cell


def _explain(plot: Plot) -> str:
    if plot.path is None:
        return f"not run: {NOTHING_RUN[plot.place.axis]}"
    return "" if plot.points else f"{plot.path} has no points"


def _pack(spec: Mapping[str, Any]) -> dict[str, Any]:
    values = spec["data"]["values"]
    data = {name: part for name, part in spec["data"].items() if name != "values"}
    return {
        "spec": {**spec, "data": data},
        "columns": {name: _fold([row[name] for row in values]) for name in values[0]},
        "rows": len(values),
        "made": MADE_BY_DVC,
    }


def _fold(values: Sequence[str]) -> Sequence[str] | str:
    return values[0] if len(set(values)) == 1 else values
