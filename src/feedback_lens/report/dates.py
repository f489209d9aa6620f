"""From when the conversations of a log are."""

from dataclasses import dataclass
from pathlib import Path

from feedback_lens.tables import stream_rows


@dataclass(frozen=True)
class Dates:
    """The first and the last day (ISO 8601, UTC) on which a conversation of a log began.

    Null where no conversation has a timestamp; `undated` conversations have none.
    """

    first: str | None
    last: str | None
    undated: int


def read_dates(conversations: Path) -> Dates:
    """The dates of a table of conversations; no other column of it is read.

    Raises:
        InputError: the table is missing or unreadable, with its name.
    """
    first = last = None
    undated = 0
    for row in stream_rows(conversations, ["timestamp"]):
        if row["timestamp"] is None:
            undated += 1
            continue
        day = row["timestamp"][:10]
        first, last = min(first or day, day), max(last or day, day)
    return Dates(first, last, undated)
