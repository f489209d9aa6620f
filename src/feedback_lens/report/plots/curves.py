"""Curves of one figure over another."""

from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from feedback_lens.report.plots.charts import Chart, Legend
from feedback_lens.report.plots.svg import WIDTH, draw, draw_svg, draw_text

LEFT, RIGHT, TOP, SIDE = 60.0, 16.0, 8.0, 250.0
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
Point = tuple[float, float]
Ticks = Sequence[float]


def draw_curves(
    title: str,
    curves: Sequence[tuple[str, Sequence[Point]]],
    legend: Legend,
    axes: tuple[str, str],
    ticks: tuple[Ticks, Ticks],
    diagonal: bool = False,
) -> Chart:
    """Curves of a class and points each; `axes` name both sides, the horizontal one first.

    The sides reach from the first to the last of their `ticks`.
    """

    def place(point: Point) -> Point:
        x, y = (_scale(value, side) for value, side in zip(point, ticks, strict=True))
        return LEFT + (WIDTH - RIGHT - LEFT) * x, TOP + SIDE * (1 - y)

    parts = [*_name_sides(axes), *_draw_grid(ticks, place)]
    if diagonal:
        parts.append(_draw_line("reference", [place((0.0, 0.0)), place((1.0, 1.0))]))
    for series, points in curves:
        parts.append(_draw_line(f"{series} curve", [place(point) for point in points]))
        parts += [_draw_dot(series, point, place(point)) for point in points]
    return Chart(title, legend, draw_svg(title, TOP + SIDE + 44, parts))


def _scale(value: float, ticks: Ticks) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def _name_sides(axes: tuple[str, str]) -> Iterator[Markup]:
    middle = TOP + SIDE / 2
    yield draw_text((LEFT + WIDTH - RIGHT) / 2, TOP + SIDE + 38, axes[0], "middle")
    turn = f"rotate(-90 14 {middle:.0f})"
    yield draw("text", "", axes[1], x=14, y=middle, text_anchor="middle", transform=turn)


def _draw_grid(ticks: tuple[Ticks, Ticks], place: Callable[[Point], Point]) -> Iterator[Markup]:
    bottom, (across, up) = TOP + SIDE, ticks
    for tick in across:
        x, _ = place((tick, up[0]))
        yield draw("line", "grid", x1=x, x2=x, y1=TOP, y2=bottom)
        yield draw_text(x, bottom + 17, f"{tick:g}", "middle")
    for tick in up:
        _, y = place((across[0], tick))
        yield draw("line", "grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        yield draw_text(LEFT - 8, y + 4, f"{tick:g}", "end")


def _draw_line(name: str, places: Sequence[Point]) -> Markup:
    return draw("polyline", name, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places))


def _draw_dot(series: str, point: Point, place: Point) -> Markup:
    title = draw("title", "", f"{point[0]:.3g}: {point[1]:.3g}")
    return draw("circle", series, title, cx=place[0], cy=place[1], r=3)
