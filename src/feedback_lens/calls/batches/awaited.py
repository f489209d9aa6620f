from collections.abc import Sequence

from feedback_lens.calls.batches.database import Asked, Database, dump, load, marks


class Awaited:
    """Requests that stand in batches of other processes, or stood in one that was taken over."""

    def __init__(self, database: Database, endpoint: str) -> None:
        self._database, self._endpoint = database, endpoint
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, asked: Sequence[Asked]) -> None:
        """Wait for requests."""
        rows = [(one.request.key, dump(one.request), one.size) for one in asked]
        with self._database.write() as connection:
            statement = "INSERT OR IGNORE INTO awaited VALUES (?,?,?)"
            self._count += connection.executemany(statement, rows).rowcount

    def remove(self, keys: Sequence[str]) -> None:
        """Wait no more for these requests."""
        with self._database.write() as connection:
            statement = "DELETE FROM awaited WHERE key = ?"
            rows = [(key,) for key in keys]
            self._count -= max(0, connection.executemany(statement, rows).rowcount)

    def filter(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of these keys that are waited for."""
        query = f"SELECT key FROM awaited WHERE key IN ({marks(keys)})"
        return frozenset(key for (key,) in self._database.read(query, keys))

    def find_released(self, most: int) -> list[Asked]:
        """Requests that stand in no batch any more: answered by now, or let go of."""
        rows = self._database.read(
            "SELECT request, bytes FROM awaited WHERE NOT EXISTS (SELECT * FROM batch_requests r"
            " WHERE r.endpoint = ? AND r.key = awaited.key) ORDER BY key LIMIT ?",
            (self._endpoint, most),
        )
        return [Asked(load(request), size) for request, size in rows]
