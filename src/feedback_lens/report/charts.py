"""Charts as inline SVG, drawn with the classes of style.css so that they follow light and dark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup

from feedback_lens.report.svg import (
    WIDTH,
    Mark,
    draw_cell,
    draw_mark,
    draw_rule,
    draw_segment,
    draw_svg,
    draw_text,
)

LABELS = 165
RIGHT = 16
Legend = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chart:
    """A drawing, its title with units, and its legend: pairs of a series' class and its name."""

    title: str
    legend: Legend
    svg: Markup


def draw_stacks(
    title: str, rows: Sequence[tuple[str, str, Mapping[str, float]]], legend: Legend
) -> Chart:
    """Stacked bars: rows of label, note and the share of each series (0 to 1)."""
    left, right = 70, 60
    span = WIDTH - left - right
    parts = []
    for index, (label, note, shares) in enumerate(rows):
        y = index * 34
        parts += [
            draw_text(left - 8, y + 18, label, "end"),
            draw_text(WIDTH - right + 8, y + 18, note, "start"),
        ]
        x = float(left)
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
    """Points with intervals or boxes on one scale; rows of label and marks, one below another.

    The scale holds `lines`, and those beside zero are marked.
    """
    ticks = list_ticks(
        [*lines, *(n for _, marks in rows for mark in marks for n in _numbers(mark))]
    )

    def place(value: float) -> float:
        return LABELS + (WIDTH - LABELS - RIGHT) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts, y = [], 0.0
    for label, marks in rows:
        height = 13 * len(marks) + 11
        parts.append(draw_text(LABELS - 10, y + height / 2 + 4, label, "end"))
        parts += [draw_mark(mark, y + 12 + 13 * index, place) for index, mark in enumerate(marks)]
        y += height
    grid = [draw_rule(place(tick), y, "grid") for tick in ticks]
    grid += [draw_rule(place(value), y, "reference") for value in lines if value]
    axis = [draw_text(place(tick), y + 18, f"{tick:g}", "middle") for tick in ticks]
    return Chart(title, legend, draw_svg(title, y + 24, [*grid, *parts, *axis]))


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
    return [n for n in (mark.value, mark.low, mark.high, mark.q1, mark.q3) if n is not None]
