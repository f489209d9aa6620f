"""The pieces of a chart; every text in them is escaped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 480


@dataclass(frozen=True)
class Mark:
    """A point of a series: `low` to `high` is drawn as a line."""

    series: str
    value: float | None
    low: float | None = None
    high: float | None = None


def draw(tag: str, name: str, content: str | Markup = "", **attributes: float | str) -> Markup:
    """One element of class `name`; numbers are rounded to a tenth, `_` in a key reads `-`."""
    parts = Markup("").join(
        Markup(' {}="{}"').format(key.replace("_", "-"), _print(value))
        for key, value in {"class": name, **attributes}.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(tag, parts, content)


def draw_svg(title: str, height: float, parts: Sequence[Markup]) -> Markup:
    """The drawing, as wide as its place."""
    box = f"0 0 {WIDTH} {height:.0f}"
    content = Markup("").join(parts)
    return draw("svg", "chart", content, viewBox=box, role="img", aria_label=title)


def draw_text(x: float, y: float, content: str, anchor: str, name: str = "") -> Markup:
    """A text that starts, is centered or ends at `x` (`anchor`: start, middle, end)."""
    return draw("text", name, content, x=x, y=y, text_anchor=anchor)


def draw_rule(x: float, height: float, name: str) -> Markup:
    """A vertical line from the top."""
    return draw("line", name, x1=x, x2=x, y1=0, y2=height)


def draw_segment(x: float, y: float, width: float, series: str, share: float) -> Markup:
    """A piece of a stacked bar, with its percent where there is room."""
    percent = f"{100 * share:.0f}%"
    title = draw("title", "", f"{series}: {percent}")
    box = draw("rect", series, title, x=x, y=y, width=max(0.0, width - 1), height=26)
    if width < 30:
        return box
    return box + draw_text(x + width / 2, y + 18, percent, "middle", "inside")


def draw_cell(x: float, y: float, width: float, count: int, share: float) -> Markup:
    """A count on a ground that is the darker the larger its share (0 to 1)."""
    ground = draw(
        "rect", "cell", x=x, y=y, width=width, height=28, fill_opacity=f"{0.06 + 0.94 * share:.2f}"
    )
    name = "inside" if share > 0.5 else ""
    return ground + draw_text(x + width / 2, y + 19, str(count), "middle", name)


def draw_mark(mark: Mark, y: float, place: Callable[[float], float]) -> Markup:
    """A point with its interval, at the height `y`."""
    parts = []
    if mark.low is not None and mark.high is not None:
        name, low, high = f"{mark.series} interval", place(mark.low), place(mark.high)
        parts.append(draw("line", name, x1=low, x2=high, y1=y, y2=y))
    if mark.value is not None:
        title = draw("title", "", f"{mark.value:.4g}")
        parts.append(draw("circle", mark.series, title, cx=place(mark.value), cy=y, r=4))
    return Markup("").join(parts)


def _print(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}"
