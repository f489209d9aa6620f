"""Every cell of the paper's tables and figures with ours, and how many of them agree."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from feedback_lens.report.tables import causes
from feedback_lens.report.tables.differences import (
    NO_INTERVAL,
    NO_NUMBER,
    NO_VALUE_OF_OURS,
    OUTSIDE,
    UNDONE,
    WITHIN,
    find_state,
    subtract,
)
from feedback_lens.report.tables.rows import Table
from feedback_lens.report.tables.values import DRAWN, NOT_RUN, UNREADABLE, Value

# of a cell with several figures of ours the first of these that one of them has counts
STATES = (OUTSIDE, WITHIN, NO_INTERVAL, NO_VALUE_OF_OURS, NO_NUMBER, UNDONE)

COLUMNS = (
    "table",
    "row",
    "column",
    "line",
    "reported",
    "reported_spread",
    "ours",
    "ours_spread",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "state",
    "causes",
)


@dataclass(frozen=True)
class Claim:
    """A cell of the paper and one figure of ours beside it; `line` is empty where none is run."""

    row: str
    column: str
    line: str
    reported: Value
    ours: Value
    causes: tuple[str, ...]

    @property
    def state(self) -> str:
        """As `find_state` has it."""
        return find_state(self.ours, self.reported)


@dataclass(frozen=True)
class Tally:
    """How many cells of the paper's are in which state, and the causes of a table or of all."""

    cells: int
    states: Mapping[str, int]
    causes: tuple[str, ...]

    @property
    def run(self) -> int:
        """The cells that stand beside something of ours."""
        return self.cells - self.states[UNDONE]


def list_claims(table: Table) -> Iterator[Claim]:
    """The cells of the paper in a table, once for each figure of ours; none where it has none."""
    for row in table.rows:
        for place in row.places:
            paper = (row.published or ())[place]
            for line, values in (row.found or {"": ()}).items():
                value = values[place] if values else NOT_RUN
                why = tuple(_list_causes(table, value, paper))
                yield Claim(row.name, table.columns[place], line, paper, value, why)


def _list_causes(table: Table, value: Value, paper: Value) -> Iterator[str]:
    if value is NOT_RUN:
        yield causes.NOT_RUN
    else:
        yield from table.reason.causes
        if value.seeds and paper.seeds and value.seeds < paper.seeds:
            yield f"{causes.FEWER_SEEDS} ({value.seeds} of {paper.seeds})"
    if paper is DRAWN:
        yield causes.DRAWN
    if paper.text == UNREADABLE:
        yield causes.UNREADABLE


def tally(table: Table) -> Tally | None:
    """Each cell of the paper's counted once; null of a table that is not in the paper."""
    claims = list(list_claims(table))
    cells: dict[tuple[str, str], list[str]] = {}
    for claim in claims:
        cells.setdefault((claim.row, claim.column), []).append(claim.state)
    if not cells:
        return None
    counts = Counter(min(states, key=STATES.index) for states in cells.values())
    found = {cause for claim in claims for cause in claim.causes}
    if counts[UNDONE] < len(cells):
        found.discard(causes.NOT_RUN)  # rows and cells say it
    return Tally(len(cells), _order(counts), _sort(found))


def add(tallies: Sequence[Tally]) -> Tally:
    """The tally of all tables."""
    counts: Counter[str] = Counter()
    for one in tallies:
        counts.update(one.states)
    return Tally(sum(one.cells for one in tallies), _order(counts), ())


def _order(counts: Mapping[str, int]) -> dict[str, int]:
    return {state: counts.get(state, 0) for state in STATES}


def _sort(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        sorted(found, key=lambda cause: (causes.CAUSES.index(cause.split(" (")[0]), cause))
    )


def show_claim(table: Table, claim: Claim) -> tuple[float | str | None, ...]:
    """A claim as the page holds it, by `COLUMNS`: figures as numbers, or as text without one."""
    difference = subtract(claim.ours, claim.reported)
    return (
        table.name,
        claim.row,
        claim.column,
        claim.line,
        _show(claim.reported),
        claim.reported.spread,
        _show(claim.ours),
        claim.ours.spread,
        claim.ours.low,
        claim.ours.high,
        difference.number,
        difference.low,
        difference.high,
        claim.state,
        "; ".join(claim.causes),
    )


def _show(value: Value) -> float | str:
    return value.text if value.number is None else value.number
