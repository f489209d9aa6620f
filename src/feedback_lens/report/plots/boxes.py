"""Box plots."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from markupsafe import Markup

from feedback_lens.report.plots.charts import Chart, Legend, Place, draw_scale
from feedback_lens.report.plots.svg import draw, draw_svg, draw_text

ROW = 30
NOTE = "Box: quartiles, with the median; whiskers: the last value within 1.5 boxes; rings: beyond."


@dataclass(frozen=True)
class Box:
    """Quartiles, the whiskers (the last values within 1.5 boxes of the box), and those beyond."""

    low: float
    q1: float
    median: float
    q3: float
    high: float
    beyond: tuple[float, ...]


def measure_box(values: Sequence[float]) -> Box | None:
    """The box of some values, as Tukey draws it; null without any."""
    if not values:
        return None
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    q1, median, q3 = (float(q) for q in np.quantile(ordered, [0.25, 0.5, 0.75]))
    reach = 1.5 * (q3 - q1)
    inside = (ordered >= q1 - reach) & (ordered <= q3 + reach)
    whiskers = float(ordered[inside][0]), float(ordered[inside][-1])
    return Box(whiskers[0], q1, median, q3, whiskers[1], tuple(ordered[~inside].tolist()))


def draw_boxes(
    title: str,
    rows: Sequence[tuple[str, str, Sequence[float]]],
    legend: Legend,
    ends: tuple[float, float],
) -> Chart:
    """Boxes on one scale that holds `ends`; rows of label, series and values."""
    boxes = [(label, series, measure_box(values)) for label, series, values in rows]
    known = [n for *_, box in boxes if box for n in (box.low, box.high, *box.beyond)]
    height = ROW * len(rows)
    place, grid = draw_scale([*ends, *known], height, lines=())
    parts = []
    for index, (label, series, box) in enumerate(boxes):
        middle = ROW * (index + 0.5)
        parts.append(draw_text(place.left - 10, middle + 4, label, "end"))
        if box is not None:
            parts.append(_draw_box(box, series, middle, place))
    return Chart(title, legend, draw_svg(title, height + 24, [grid, *parts]), NOTE)


def _draw_box(box: Box, series: str, y: float, place: Place) -> Markup:
    line = partial(draw, "line", f"{series} whisker")
    low, q1, median, q3, high = (place(n) for n in (box.low, box.q1, box.median, box.q3, box.high))
    # of values that fall together on the drawing one is drawn
    rings = sorted({round(place(value), 1) for value in box.beyond})
    return Markup("").join(
        [
            line(x1=low, x2=q1, y1=y, y2=y),
            line(x1=q3, x2=high, y1=y, y2=y),
            line(x1=low, x2=low, y1=y - 4, y2=y + 4),
            line(x1=high, x2=high, y1=y - 4, y2=y + 4),
            draw("rect", f"{series} box", x=q1, y=y - 9, width=max(1.0, q3 - q1), height=18),
            draw("line", f"{series} median", x1=median, x2=median, y1=y - 9, y2=y + 9),
            *(draw("circle", f"{series} ring", cx=x, cy=y, r=2.5) for x in rings),
        ]
    )
