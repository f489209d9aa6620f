"""What is known of batches, so that no crash pays for one twice (tables: database.py)."""

import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from feedback_lens.calls.batches.database import Asked, Database, dump, load, marks
from feedback_lens.calls.completion import now
from feedback_lens.calls.request import Request

_UNANSWERED = "FROM batch_requests WHERE batch = ? AND NOT answered"


class Size(NamedTuple):
    """How much stands in a file, or may."""

    requests: int
    bytes: int


class BatchRow(NamedTuple):
    """A row of `batches`."""

    name: str
    purpose: str
    model: str
    owner: str
    status: str
    batch_id: str | None
    files: tuple[str, ...]


class BatchLog:
    """The batches at one endpoint, for the process that is their owner or may become it."""

    def __init__(self, database: Database, endpoint: str, purpose: str, owner: str) -> None:
        self._database = database
        self._endpoint, self._purpose, self._owner = endpoint, purpose, owner

    def add(self, model: str) -> str:
        """A new batch to fill with requests of a model; returns its name."""
        name = uuid.uuid4().hex
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO batches (name, endpoint, purpose, model, owner, created_at)"
                " VALUES (?,?,?,?,?,?)",
                (name, self._endpoint, self._purpose, model, self._owner, now()),
            )
        return name

    def claim(self, name: str, asked: Sequence[Asked]) -> frozenset[str]:
        """Put requests into a batch; returns the keys of those that stand in no other one."""
        rows = [(self._endpoint, a.request.key, name, dump(a.request), a.size) for a in asked]
        with self._database.write() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO batch_requests (endpoint, key, batch, request, bytes)"
                " VALUES (?,?,?,?,?)",
                rows,
            )
        return frozenset(self.find(name, [one.request.key for one in asked]))

    def holds(self, key: str) -> bool:
        """Whether a request stands in a batch, whoever owns it."""
        query = "SELECT 1 FROM batch_requests WHERE endpoint = ? AND key = ?"
        return bool(self._database.read(query, (self._endpoint, key)))

    def find(self, name: str, keys: Sequence[str]) -> dict[str, bool]:
        """Which of these keys stand in a batch, and whether they are answered."""
        rows = self._database.read(
            f"SELECT key, answered FROM batch_requests WHERE batch = ? AND key IN ({marks(keys)})",
            (name, *keys),
        )
        return {key: bool(answered) for key, answered in rows}

    def load(self, name: str, keys: Sequence[str]) -> dict[str, Request]:
        """The unanswered ones of these requests of a batch, by key."""
        rows = self._database.read(
            f"SELECT key, request {_UNANSWERED} AND key IN ({marks(keys)})", (name, *keys)
        )
        return {key: load(request) for key, request in rows}

    def read(self, name: str) -> Iterator[Request]:
        """The unanswered requests of a batch, by key."""
        query = f"SELECT request {_UNANSWERED} ORDER BY key"
        for (request,) in self._database.stream(query, (name,)):
            yield load(request)

    def count_unanswered(self, name: str) -> int:
        """Number of unanswered requests of a batch."""
        [(count,)] = self._database.read(f"SELECT count(*) {_UNANSWERED}", (name,))
        return int(count)

    def submit(self, name: str) -> None:
        """Note that a batch is on its way to the server."""
        self._set(name, "status = 'submitting'")

    def keep_id(self, name: str, batch_id: str) -> None:
        """Note that the server has a batch."""
        self._set(name, "status = 'open', batch_id = ?", batch_id)

    def mark(self, name: str, keys: Sequence[str]) -> None:
        """Note that these requests of a batch have their answers in the store."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE batch_requests SET answered = 1"
                f" WHERE batch = ? AND key IN ({marks(keys)})",
                (name, *keys),
            )

    def drop(self, name: str, keys: Sequence[str]) -> None:
        """Let go of these requests of a batch."""
        with self._database.write() as connection:
            connection.execute(
                f"DELETE FROM batch_requests WHERE batch = ? AND key IN ({marks(keys)})",
                (name, *keys),
            )

    def drop_unasked(self, name: str) -> None:
        """Let go of the unanswered requests of a batch for which nobody waits."""
        with self._database.write() as connection:
            connection.execute(
                f"DELETE {_UNANSWERED} AND key NOT IN (SELECT key FROM awaited)", (name,)
            )

    def move(self, name: str, target: str, most: int) -> Size:
        """Move so many unanswered requests at most to another batch; returns what it holds."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE batch_requests SET batch = ? WHERE batch = ? AND key IN"
                f" (SELECT key {_UNANSWERED} ORDER BY key LIMIT ?)",
                (target, name, name, most),
            )
        query = f"SELECT count(*), coalesce(sum(bytes), 0) {_UNANSWERED}"
        [(requests, size)] = self._database.read(query, (target,))
        return Size(requests, size)

    def count_round(self, name: str, most: int) -> list[Request]:
        """A batch came back without its unanswered requests; returns those that had enough tries.

        These are let go of.
        """
        with self._database.write() as connection:
            connection.execute(
                "UPDATE batch_requests SET rounds = rounds + 1 WHERE batch = ? AND NOT answered",
                (name,),
            )
            rows = connection.execute(
                f"DELETE {_UNANSWERED} AND rounds >= ? RETURNING request", (name, most)
            ).fetchall()
        return [load(request) for (request,) in rows]

    def finish(self, name: str, files: Sequence[str] = ()) -> None:
        """Let go of all requests of a batch; of what it was, only files are to be deleted."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM batch_requests WHERE batch = ?", (name,))
            connection.execute(
                "UPDATE batches SET status = 'done', files = ? WHERE name = ?",
                (" ".join(files), name),
            )

    def forget(self, name: str) -> None:
        """Let go of a batch that the server does not have, with all its requests."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM batch_requests WHERE batch = ?", (name,))
            connection.execute("DELETE FROM batches WHERE name = ?", (name,))

    def find_awaited(self) -> list[BatchRow]:
        """Batches of others in which awaited requests stand."""
        return self._find(
            "name IN (SELECT r.batch FROM awaited JOIN batch_requests r"
            " ON r.endpoint = batches.endpoint AND r.key = awaited.key)"
        )

    def find_unfinished(self) -> list[BatchRow]:
        """Batches of others that are not done, or whose files are there still."""
        return self._find("(status != 'done' OR files != '')")

    def take_over(self, row: BatchRow) -> bool:
        """Make a batch ours whose process died; False where another was first."""
        with self._database.write() as connection:
            statement = "UPDATE batches SET owner = ? WHERE name = ? AND owner = ?"
            taken = connection.execute(statement, (self._owner, row.name, row.owner))
        return taken.rowcount == 1

    def leave(self, name: str) -> None:
        """Make a batch nobody's."""
        self._set(name, "owner = ''")

    def _find(self, condition: str) -> list[BatchRow]:
        rows = self._database.read(
            "SELECT name, purpose, model, owner, status, batch_id, files FROM batches"
            f" WHERE endpoint = ? AND owner != ? AND {condition} ORDER BY created_at, name",
            (self._endpoint, self._owner),
        )
        return [BatchRow._make((*row, tuple(files.split()))) for *row, files in rows]

    def _set(self, name: str, changes: str, *values: str) -> None:
        with self._database.write() as connection:
            connection.execute(f"UPDATE batches SET {changes} WHERE name = ?", (*values, name))
