"""The response store: what a model once answered is kept for good, under the request's key."""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_lens.calls.request import Request, Response
from feedback_lens.errors import InputError
from feedback_lens.tables import write_rows

SNAPSHOT = pa.schema(
    [
        ("key", pa.string()),
        ("request", pa.string()),
        ("outcome", pa.string()),
        ("text", pa.string()),
        ("served_model", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("answered_at", pa.string()),
    ]
)
TIMEOUT_SECONDS = 60.0
_COLUMNS = ", ".join(SNAPSHOT.names)
_TABLE = f"""
CREATE TABLE IF NOT EXISTS responses (
    {_COLUMNS.replace("key,", "key TEXT PRIMARY KEY,", 1)}
) WITHOUT ROWID
"""


def default_store_path() -> Path:
    """`FEEDBACK_LENS_STORE`, else a git-ignored file of the main checkout.

    DVC sets DVC_ROOT to the main checkout in repro, exp run, --temp and --queue alike, so all
    workspaces share one store.
    """
    default = Path(os.environ.get("DVC_ROOT", ".")) / ".feedback-lens" / "store.sqlite"
    return Path(os.environ.get("FEEDBACK_LENS_STORE", default))


class ResponseStore:
    """Responses by request key in one SQLite file; an answer is on disk when `put` returns.

    Several processes may use it at once. The first answer to a request stays.

    Raises:
        InputError: the file is no response store.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=TIMEOUT_SECONDS)
            _write_ahead(self._database)
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(_TABLE)
            self._database.execute(f"SELECT {_COLUMNS} FROM responses LIMIT 0")
        except (OSError, sqlite3.DatabaseError) as error:
            raise InputError(
                f"{path}: not a response store ({error}); move it away, or set FEEDBACK_LENS_STORE"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def get(self, keys: Sequence[str]) -> dict[str, Response]:
        """The responses there are for these keys."""
        found: dict[str, Response] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM responses WHERE key IN ({marks})", some
            )
            found |= {row[0]: Response(*row[2:]) for row in rows}
        return found

    def put(self, request: Request, response: Response) -> None:
        """Keep one response; it is durable when this returns."""
        row = (request.key, request.canonical, *response.__dict__.values())
        self._insert([row])

    def rows(self, model: str | None = None) -> Iterator[dict[str, Any]]:
        """All responses (of one requested model), ordered by key, as rows of `SNAPSHOT`."""
        for row in self._database.execute(f"SELECT {_COLUMNS} FROM responses ORDER BY key"):
            if model is None or json.loads(row[1])["model"] == model:
                yield dict(zip(SNAPSHOT.names, row, strict=True))

    def unpack(self, folder: Path, keys: frozenset[str] | None = None) -> int:
        """Take a snapshot's responses (to `keys`, where given) in; returns how many were new."""
        before = self._database.total_changes
        rows = read_snapshot(folder, keys)
        self._insert(tuple(row[name] for name in SNAPSHOT.names) for row in rows)
        return self._database.total_changes - before

    def stats(self) -> list[tuple[str, str, int, int, int]]:
        """Requested model, outcome, number of responses, prompt and completion tokens."""
        return self._database.execute(
            "SELECT json_extract(request, '$.model') AS model, outcome, count(*),"
            " coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)"
            " FROM responses GROUP BY model, outcome ORDER BY model, outcome"
        ).fetchall()

    def _insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        marks = ",".join("?" * len(SNAPSHOT.names))
        with self._database:
            self._database.executemany(f"INSERT OR IGNORE INTO responses VALUES ({marks})", rows)


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


def write_snapshot(rows: Iterable[dict[str, Any]], folder: Path) -> int:
    """Write rows of `SNAPSHOT` as up to 16 shards, `replies-<first hex digit of the key>.parquet`.

    The same rows give the same bytes; a shard without rows is not written. Returns the row count.

    Raises:
        InputError: there are no rows, so that nothing takes the place of what is there.
    """
    shards: dict[str, list[dict[str, Any]]] = {digit: [] for digit in "0123456789abcdef"}
    for row in rows:
        shards[row["key"][0]].append(row)
    if not any(shards.values()):
        raise InputError(
            f"{folder}: there are no replies to pack, so it stays as it is; "
            "look at `feedback-lens store stats` and FEEDBACK_LENS_STORE"
        )
    for digit, members in shards.items():
        path = folder / f"replies-{digit}.parquet"
        if members:
            write_rows(sorted(members, key=lambda row: str(row["key"])), path, SNAPSHOT)
        else:
            path.unlink(missing_ok=True)
    return sum(len(members) for members in shards.values())


def read_snapshot(folder: Path, keys: frozenset[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a packed snapshot (those under `keys`, where given), ordered by shard and key.

    Raises:
        InputError: a shard cannot be read, with its name.
    """
    for shard in sorted(folder.glob("replies-*.parquet")):
        try:
            rows = pq.read_table(shard, schema=SNAPSHOT).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{shard}: damaged snapshot shard ({error}); restore it by git or dvc checkout"
            ) from None
        yield from (row for row in rows if keys is None or row["key"] in keys)


def now() -> str:
    """The time of an answer, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
