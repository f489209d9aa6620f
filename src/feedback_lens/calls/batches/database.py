"""The tables of batches, in the store's SQLite file.

`batches`, one row a file of requests:
- `name` is ours, and stands in the batch's metadata and in its file's name at the server
- `endpoint` is the server's host and port, `purpose` the stage, `owner` the process at work on it
- `status`: `filling` (nothing was sent), `submitting` (the server may or may not have it), `open`
  (it has, as `batch_id`), `done`
- `files` are the ids of files that are still to be deleted at the server, a blank between two

`batch_requests`, one row a request that stands in a batch which is not done. Its primary key is
(`endpoint`, `key`): no two processes can send the same request. `rounds` counts the batches that
it came back from without an answer.

`awaited`, of this process alone: requests that stand in batches of others.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from feedback_lens.calls.request import Request, Sampling
from feedback_lens.errors import InputError

TIMEOUT_SECONDS = 60.0
_TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, endpoint TEXT NOT NULL, purpose TEXT NOT NULL, model TEXT NOT NULL,
    owner TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'filling', batch_id TEXT,
    files TEXT NOT NULL DEFAULT '', created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS batch_requests (
    endpoint TEXT NOT NULL, key TEXT NOT NULL, batch TEXT NOT NULL, request TEXT NOT NULL,
    bytes INTEGER NOT NULL, rounds INTEGER NOT NULL DEFAULT 0, answered INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (endpoint, key)
);
CREATE INDEX IF NOT EXISTS batch_requests_by_batch ON batch_requests (batch, key);
CREATE TEMP TABLE awaited (key TEXT PRIMARY KEY, request TEXT NOT NULL, bytes INTEGER NOT NULL);
"""


class Asked(NamedTuple):
    """A request and the bytes of its line in a file."""

    request: Request
    size: int


class Database:
    """The file, as one process sees it; what is written is durable when the block ends.

    Raises:
        InputError: the file cannot be used (by any method).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, timeout=TIMEOUT_SECONDS)
        with self.write() as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return list(self.stream(query, values))

    def stream(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one by one."""
        with self._explain():
            yield from self._connection.execute(query, values)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction."""
        with self._explain(), self._connection:
            yield self._connection

    @contextmanager
    def _explain(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{self.path}: the response store cannot be used ({error}); look for a full disk, "
                "or at `feedback-lens store verify`; what was kept before is safe"
            ) from None


def dump(request: Request) -> str:
    """The request as JSON in its own order: in a response format the order of names counts."""
    return json.dumps(request.as_json(), separators=(",", ":"))


def load(text: str) -> Request:
    """The request that was dumped."""
    content = json.loads(text)
    return Request(
        content["model"],
        tuple(content["messages"]),
        Sampling(**content["sampling"]),
        content.get("response_format"),
        content.get("sample", 0),
    )


def marks(values: Sequence[str]) -> str:
    """Question marks for the values of a statement."""
    return ",".join("?" * len(values))
