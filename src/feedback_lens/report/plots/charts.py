"""Charts as inline SVG, drawn with the classes of style.css so that they follow light and dark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup

from feedback_lens.report.plots.svg import (
    WIDTH,
    Mark,
    draw_cell,
    draw_mark,
    draw_rule,
    draw_segment,
    draw_svg,
    draw_text,
)

RIGHT = 16
CHARACTER = 8.0  # at most so wide is one of a chart's texts on average, whatever the font
GAP = 8
Legend = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chart:
    """A drawing, its title with units, and its legend: pairs of a series' class and its name.

    `note` says how to read marks that are no everyday ones.
    """

    title: str
    legend: Legend
    svg: Markup
    note: str = ""


@dataclass(frozen=True)
class Place:
    """Where a number stands on a horizontal scale from `first` to `last`."""

    first: float
    last: float
    left: float = 165.0

    def __call__(self, value: float) -> float:
        """The horizontal place, in units of the drawing."""
        span = WIDTH - self.left - RIGHT
        return self.left + span * (value - self.first) / (self.last - self.first)


def draw_stacks(
    title: str, rows: Sequence[tuple[str, str, Mapping[str, float]]], legend: Legend
) -> Chart:
    """Stacked bars: rows of label, note and the share of each series (0 to 1)."""
    left, right = (
        GAP + CHARACTER * max((len(text) for text in texts), default=0)
        for texts in ([row[0] for row in rows], [row[1] for row in rows])
    )
    span = WIDTH - left - right
    parts = []
    for index, (label, note, shares) in enumerate(rows):
        y = index * 34
        parts += [
            draw_text(left - GAP, y + 18, label, "end"),
            draw_text(WIDTH - right + GAP, y + 18, note, "start"),
        ]
        x = left
        for series, share in shares.items():
            parts.append(draw_segment(x, y, span * share, series, share))
            x += span * share
    return Chart(title, legend, draw_svg(title, len(rows) * 34, parts))


def draw_points(
    title: str,
    rows: Sequence[tuple[str, Sequence[Mark]]],
    legend: Legend,
    lines: Sequence[float],
) -> Chart:
    """Points with intervals on one scale; rows of label and marks, one below another.

    The scale holds `lines`, and those beside zero are marked.
    """
    height = sum(13.0 * len(marks) + 11 for _, marks in rows)
    numbers = [*lines, *(n for _, marks in rows for mark in marks for n in _numbers(mark))]
    place, grid = draw_scale(numbers, height, lines)
    parts, y = [], 0.0
    for label, marks in rows:
        size = 13 * len(marks) + 11
        parts.append(draw_text(place.left - 10, y + size / 2 + 4, label, "end"))
        parts += [draw_mark(mark, y + 12 + 13 * index, place) for index, mark in enumerate(marks)]
        y += size
    return Chart(title, legend, draw_svg(title, height + 24, [grid, *parts]))


def draw_scale(
    numbers: Sequence[float], height: float, lines: Sequence[float]
) -> tuple[Place, Markup]:
    """A horizontal scale that spans the numbers: its grid, its ticks below, and marked lines."""
    ticks = list_ticks(numbers)
    place = Place(ticks[0], ticks[-1])
    grid = [draw_rule(place(tick), height, "grid") for tick in ticks]
    grid += [draw_rule(place(value), height, "reference") for value in lines if value]
    grid += [draw_text(place(tick), height + 18, f"{tick:g}", "middle") for tick in ticks]
    return place, Markup("").join(grid)


def draw_matrix(
    title: str, rows: Sequence[str], columns: Sequence[str], counts: Mapping[tuple[str, str], int]
) -> Chart:
    """Counts by gold row and predicted column; the larger a share of its row, the darker."""
    left, top, height = 70, 40, 30
    width = (WIDTH - left - RIGHT) / len(columns)
    middles = [left + width * (index + 0.5) for index in range(len(columns))]
    parts = [draw_text(x, 32, name, "middle") for x, name in zip(middles, columns, strict=True)]
    parts.append(draw_text((left + WIDTH - RIGHT) / 2, 12, "predicted", "middle"))
    parts.append(draw_text(left - 8, 32, "gold", "end"))
    for index, row in enumerate(rows):
        y = top + index * height
        parts.append(draw_text(left - 8, y + 19, row, "end"))
        cells = [counts.get((row, column), 0) for column in columns]
        for x, count in zip(middles, cells, strict=True):
            share = count / max(1, sum(cells))
            parts.append(draw_cell(x - width / 2, y, width - 2, count, share))
    return Chart(title, (), draw_svg(title, top + height * len(rows), parts))


def list_ticks(numbers: Sequence[float]) -> list[float]:
    """Round numbers, at most seven, that span the given ones."""
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    extent = (high - low) or abs(high) or 1.0
    power = 10 ** floor(log10(extent / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if extent / (power * factor) <= 5)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(step * index, 10) for index in range(first, max(last, first + 1) + 1)]


def _numbers(mark: Mark) -> list[float]:
    return [n for n in (mark.value, mark.low, mark.high) if n is not None]
