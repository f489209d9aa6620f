"""The plots that plots.yaml defines for DVC too, drawn as `dvc plots show` draws them."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from dvc.render.converter.vega import VegaConverter
from dvc_render.vega import VegaRenderer

from feedback_lens.axes import Axes
from feedback_lens.errors import InputError
from feedback_lens.report.plots.places import PLACES, Place

REVISION = "this run"
MADE_BY_DVC = ("rev", "filename", "field")  # columns that it adds to the points
HERE = Path(__file__).parent
Points = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Plot:
    """One file of points and how to draw it.

    `name` is that of the figure (`confusion`), `cell` the corpus or gold set, empty where one file
    has all. `path` is DVC's name of the file, null where the axes have no cell of this figure;
    `settings` are those of plots.yaml: template, x, y, title and labels.
    """

    name: str
    cell: str
    path: str | None
    settings: Mapping[str, str]
    points: Points

    @property
    def anchor(self) -> str:
        """What a link names."""
        return "-".join(part for part in ("plot", self.name, self.cell) if part)

    @property
    def place(self) -> Place:
        """Where it stands; a figure that `PLACES` lacks comes after all others."""
        return PLACES.get(self.name, Place("More plots"))

    def fill(self, revision: str = REVISION) -> dict[str, Any]:
        """The Vega-Lite specification, that of `dvc plots show` but for the revision's name."""
        converter = VegaConverter(self.path, {self.path: list(self.points)}, dict(self.settings))
        points, settings = converter.flat_datapoints(revision)
        renderer = VegaRenderer(points, self.path, **settings, template_dir=HERE / "templates")
        return dict(renderer.get_filled_template())


def read_plots(folder: Path, axes: Axes) -> list[Plot]:
    """The plots of plots.yaml, their points read below `folder`.

    Of figures with a file a cell exactly the cells of the axes are read; a figure without any is
    one plot without points.

    Raises:
        InputError: a file is missing.
    """
    entries = yaml.safe_load((HERE / "plots.yaml").read_text(encoding="utf-8"))["plots"]
    return [
        plot
        for entry in entries.values()
        for path, settings in entry.items()
        for plot in _read_plots(PurePosixPath(path), settings, folder, axes)
    ]


def _read_plots(
    path: PurePosixPath, settings: Mapping[str, str], folder: Path, axes: Axes
) -> Iterator[Plot]:
    inside = folder.joinpath(*path.parts[1:])
    if path.suffix:
        yield Plot(path.stem, "", str(path), settings, _read_points(inside))
        return
    place = PLACES.get(path.name)
    cells = list(getattr(axes, place.axis)) if place else sorted(p.stem for p in inside.iterdir())
    for cell in cells:
        file = f"{cell}.csv"
        yield Plot(path.name, cell, str(path / file), settings, _read_points(inside / file))
    if not cells:
        yield Plot(path.name, "", None, settings, ())


def _read_points(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such plot; `dvc repro` makes it") from None
