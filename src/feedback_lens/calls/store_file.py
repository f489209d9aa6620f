"""The SQLite file of the response store: made, or brought up to date, as it is opened."""

import sqlite3
import time
from pathlib import Path

from feedback_lens.calls.snapshot import SNAPSHOT

TIMEOUT_SECONDS = 60.0
COLUMNS = ", ".join(SNAPSHOT.names)
_TABLES = f"""
CREATE TABLE IF NOT EXISTS responses ({COLUMNS.replace("key,", "key TEXT PRIMARY KEY,", 1)});
CREATE TABLE IF NOT EXISTS ledger (key, stage, model, provider, usd, seconds, answered_at);
"""
# columns that older files lack; they stand last, and are null in rows that were there before
_LATER = ("logprobs",)


def open_store_file(path: Path) -> sqlite3.Connection:
    """Open the file, with its folder and tables; one of an older form gets what it lacks.

    Raises:
        OSError: there can be no such file.
        sqlite3.DatabaseError: it is no response store.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=TIMEOUT_SECONDS)
    _write_ahead(database)
    database.execute("PRAGMA synchronous=FULL")
    database.executescript(_TABLES)
    if _find_missing(database):
        _add_columns(database)
    database.execute(f"SELECT {COLUMNS} FROM responses LIMIT 0")
    return database


def _find_missing(database: sqlite3.Connection) -> list[str]:
    """The later columns that the table lacks; none where it is another's table altogether."""
    there = [row[1] for row in database.execute("PRAGMA table_info(responses)")]
    missing = [name for name in SNAPSHOT.names if name not in there]
    return missing if set(missing) <= set(_LATER) else []


def _add_columns(database: sqlite3.Connection) -> None:
    """Add what is missing, in one transaction: a kill leaves the file as it was before."""
    with database:
        # another process may do the same: who waits for the lock looks again
        database.execute("BEGIN IMMEDIATE")
        for name in _find_missing(database):
            database.execute(f"ALTER TABLE responses ADD COLUMN {name}")


def _write_ahead(database: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log; where two switch at once, SQLite does not wait."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
