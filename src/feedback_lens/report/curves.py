"""Curves of one share (0 to 1) over another."""

from collections.abc import Sequence

from markupsafe import Markup

from feedback_lens.report.charts import Chart, Legend
from feedback_lens.report.svg import WIDTH, draw, draw_svg, draw_text

LEFT, RIGHT, TOP, SIDE = 60.0, 16.0, 8.0, 250.0
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
Point = tuple[float, float]


def draw_curves(
    title: str,
    curves: Sequence[tuple[str, Sequence[Point]]],
    legend: Legend,
    axes: tuple[str, str],
    diagonal: bool,
) -> Chart:
    """Curves of a class and points each; `axes` name both sides, the horizontal one first."""
    parts = [*_draw_frame(axes)]
    if diagonal:
        parts.append(_draw_line("reference", [(0.0, 0.0), (1.0, 1.0)]))
    for series, points in curves:
        parts.append(_draw_line(f"{series} curve", points))
        parts += [_draw_dot(series, point) for point in points]
    return Chart(title, legend, draw_svg(title, TOP + SIDE + 44, parts))


def _draw_frame(axes: tuple[str, str]) -> list[Markup]:
    bottom, middle = TOP + SIDE, TOP + SIDE / 2
    parts = [draw_text((LEFT + WIDTH - RIGHT) / 2, bottom + 38, axes[0], "middle")]
    turn = f"rotate(-90 14 {middle:.0f})"
    parts.append(draw("text", "", axes[1], x=14, y=middle, text_anchor="middle", transform=turn))
    for tick in TICKS:
        (x, y), text = _place((tick, tick)), f"{tick:g}"
        parts.append(draw("line", "grid", x1=x, x2=x, y1=TOP, y2=bottom))
        parts.append(draw("line", "grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        parts.append(draw_text(x, bottom + 17, text, "middle"))
        parts.append(draw_text(LEFT - 8, y + 4, text, "end"))
    return parts


def _draw_line(name: str, points: Sequence[Point]) -> Markup:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(_place, points))
    return draw("polyline", name, points=places)


def _draw_dot(series: str, point: Point) -> Markup:
    x, y = _place(point)
    title = draw("title", "", f"{point[0]:.3g}: {point[1]:.3g}")
    return draw("circle", series, title, cx=x, cy=y, r=3)


def _place(point: Point) -> Point:
    return LEFT + (WIDTH - RIGHT - LEFT) * point[0], TOP + SIDE * (1 - point[1])
