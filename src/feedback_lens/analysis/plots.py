"""Data of plots on disk: CSV, one row a point."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_lens.tables import replaced


def write_points(points: Iterable[Mapping[str, Any]], path: Path, columns: Sequence[str]) -> None:
    """Write points as CSV with exactly these columns; floats rounded to 6 decimals, null empty."""
    with replaced(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for point in points:
            writer.writerow({name: _round(value) for name, value in point.items()})


def _round(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
