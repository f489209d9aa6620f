"""The series that charts tell apart by color; their classes stand in style.css."""

from collections.abc import Sequence

COLORS = 8  # of style.css; a ninth series shares the first one's
SPLITS = {"neg": "drew negative feedback", "rand": "random", "pos": "drew positive feedback"}


def number_series(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of a series' class and its name."""
    return [(f"series-{index % COLORS}", name) for index, name in enumerate(names)]
