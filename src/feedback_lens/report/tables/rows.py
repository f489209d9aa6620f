"""Tables of the paper beside ours: rows, and the lines that they are printed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feedback_lens.report.tables.differences import subtract
from feedback_lens.report.tables.values import BLANK, DASH, Value

NO_NUMBERS = "the paper draws this and prints no numbers, so there is nothing to subtract"
EMPTY = "not run: params.yaml has no cell of the stage behind this table"


@dataclass(frozen=True)
class Line:
    """One printed line; `kind` is `reported`, `ours`, `difference` or `missing` (a single cell)."""

    kind: str
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One row of the paper's table: what is reported, and what we found, by the line's label.

    `published` is null where the paper has no such row; `missing` is said where nothing is found.
    A blank or a dash among `published` is no cell of the paper.
    """

    name: str
    published: tuple[Value, ...] | None
    found: Mapping[str, tuple[Value, ...]]
    missing: str

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is printed; no line of differences where nothing can be subtracted."""
        published = self.published or ()
        lines = [_line("reported", "reported", published)] if published else []
        for label, values in self.found.items():
            lines.append(_line("ours", label, values))
            pairs = zip(values, published, strict=True) if published else ()
            differences = [subtract(value, paper) for value, paper in pairs]
            if any(difference.number is not None for difference in differences):
                lines.append(_line("difference", "difference", differences))
        if not self.found:
            lines.append(Line("missing", "ours", (self.missing,)))
        return tuple(lines)

    @property
    def places(self) -> tuple[int, ...]:
        """The columns in which the paper has a cell in this row."""
        cells = enumerate(self.published or ())
        return tuple(place for place, cell in cells if cell not in (BLANK, DASH))


@dataclass(frozen=True)
class Reason:
    """Why our figures differ from the paper's: a few words, and the causes that they tell of."""

    text: str = ""
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of the paper; `unit` says how to read its figures, `reason` why ours differ.

    The last `prose` columns hold running text.
    """

    name: str
    title: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    reason: Reason = Reason()
    prose: int = 0

    @property
    def anchor(self) -> str:
        """The id of its place on the page."""
        return "-".join(self.name.lower().split())

    @property
    def missing(self) -> str:
        """What to say once where nothing of the table is run, for one and the same reason."""
        if any(row.found for row in self.rows):
            return ""
        texts = {row.missing for row in self.rows} or {EMPTY}
        return texts.pop() if len(texts) == 1 else ""


def compare(
    name: str,
    published: Sequence[Value] | None,
    found: Mapping[str, Sequence[Value]],
    missing: str = "not run",
) -> Row:
    """A row from the paper's figures and ours."""
    lines = {label: tuple(values) for label, values in found.items()}
    return Row(name, None if published is None else tuple(published), lines, missing)


def _line(kind: str, label: str, values: Sequence[Value]) -> Line:
    return Line(kind, label, tuple(value.text for value in values))
