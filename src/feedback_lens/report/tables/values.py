"""Figures as the report prints them, and reported beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MINUS = "\N{MINUS SIGN}"
UNREADABLE = "unreadable in the source"
NO_VALUE = "no value"
EMPTY = "not run: params.yaml has no cell of the stage behind this table"
DRAWN = "the paper draws this and prints no numbers, so there is nothing to subtract"


@dataclass(frozen=True)
class Value:
    """One figure as it reads, and its number; null where there is nothing to subtract.

    `decimals` are those of a difference from it.
    """

    number: float | None
    text: str
    decimals: int = 0


@dataclass(frozen=True)
class Line:
    """One printed line; `kind` is `reported`, `ours`, `difference` or `missing` (a single cell)."""

    kind: str
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One row of the paper's table: what is reported, what we found, and the difference."""

    name: str
    lines: tuple[Line, ...]


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
    reason: str
    prose: int = 0

    @property
    def anchor(self) -> str:
        """The id of its place on the page."""
        return "-".join(self.name.lower().split())

    @property
    def missing(self) -> str:
        """What to say once where nothing of the table is run, for one and the same reason."""
        if not self.rows:
            return EMPTY
        ours = [line for row in self.rows for line in row.lines if line.kind != "reported"]
        texts = {line.cells[0] if line.kind == "missing" else "" for line in ours}
        return texts.pop() if len(texts) == 1 else ""


BLANK = Value(None, "")
DASH = Value(None, "–")
NOT_RUN = Value(None, "not run")


def ours(number: float | None, decimals: int) -> Value:
    """A figure of ours, rounded."""
    text = NO_VALUE if number is None else _sign(f"{number:.{decimals}f}")
    return Value(number, text, decimals)


def ours_with_spread(number: float | None, spread: float | None, decimals: int) -> Value:
    """A mean of ours and its standard deviation over seeds, where there is one."""
    value = ours(number, decimals)
    if number is None or spread is None:
        return value
    return Value(number, f"{value.text} ± {spread:.{decimals}f}", decimals)


def ours_with_interval(figures: Sequence[float | None], decimals: int) -> Value:
    """A figure of ours and its interval, where there is one; `figures` are value, low and high."""
    number, low, high = figures
    value, ends = ours(number, decimals), interval(low, high, decimals)
    return Value(number, f"{value.text} ({ends.text})", decimals) if ends.text else value


def interval(low: float | None, high: float | None, decimals: int) -> Value:
    """The ends of an interval; blank where there is none."""
    if low is None or high is None:
        return BLANK
    return Value(None, _sign(f"{low:.{decimals}f} to {high:.{decimals}f}"))


def before_and_after(figures: Mapping[str, float | None], decimals: int) -> Value:
    """A figure of ours before and after something was done, the keys of `figures`."""
    before, after = (ours(figures[when], decimals) for when in ("before", "after"))
    return Value(after.number, f"{before.text} → {after.text}", decimals)


def share(part: int, whole: int) -> Value:
    """A part of a whole; its number is the share in percent."""
    if not whole:
        return Value(None, f"{part}/{whole}")
    percentage = 100 * part / whole
    return Value(percentage, f"{part}/{whole} ({percentage:.0f}%)", 1)


def probability(number: float | None) -> Value:
    """A p-value, to three digits that count."""
    if number is None:
        return Value(None, NO_VALUE)
    return Value(number, "<.00001" if number < 1e-5 else f"{number:.3g}", 6)


def reported(content: Any) -> Value:
    """A figure of the paper as printed: a number, `[mean, spread]`, words, or null (unreadable)."""
    if content is None:
        return Value(None, UNREADABLE)
    if isinstance(content, str):
        return Value(None, content)
    if isinstance(content, Sequence):
        mean, spread = content
        return Value(mean, f"{_print(mean)} ± {_print(spread)}")
    return Value(content, _print(content))


def percent(number: float | None) -> float | None:
    """A share of 1 as a share of 100."""
    return None if number is None else 100 * number


def compare(
    name: str,
    published: Sequence[Value] | None,
    found: Mapping[str, Sequence[Value]],
    missing: str = "not run",
) -> Row:
    """A row from the paper's figures and ours, by the line's label, with what they differ by.

    There is no line of differences where nothing can be subtracted. `published` is null where the
    paper has no such row; `missing` is said where `found` is empty.
    """
    lines = [] if published is None else [_line("reported", "reported", published)]
    for label, values in found.items():
        lines.append(_line("ours", label, values))
        differences = _subtract(values, published or [])
        if any(difference.number is not None for difference in differences):
            lines.append(_line("difference", "difference", differences))
    if not found:
        lines.append(Line("missing", "ours", (missing,)))
    return Row(name, tuple(lines))


def _line(kind: str, label: str, values: Sequence[Value]) -> Line:
    return Line(kind, label, tuple(value.text for value in values))


def _subtract(values: Sequence[Value], published: Sequence[Value]) -> list[Value]:
    pairs = zip(values, published, strict=True) if published else ()
    return [_difference(value, paper) for value, paper in pairs]


def _difference(value: Value, paper: Value) -> Value:
    if value.number is None or paper.number is None:
        return BLANK if value is BLANK else DASH
    difference = value.number - paper.number
    return Value(difference, _sign(f"{difference:+z.{value.decimals}f}"))


def _print(number: float) -> str:
    return _sign(format(Decimal(str(number)), "f"))


def _sign(text: str) -> str:
    return text.replace("-", MINUS)
