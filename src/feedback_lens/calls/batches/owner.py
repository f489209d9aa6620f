import fcntl
import uuid
from pathlib import Path


class Owner:
    """A process at work on batches, alive as long as it holds the lock on a file of its name.

    The system gives the lock back however the process ends. The file, `<store>-<name>.lock`, lies
    beside the store.
    """

    def __init__(self, store_path: Path) -> None:
        self._store_path = store_path
        self.name = uuid.uuid4().hex
        self._lock = self._path(self.name).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Let others take over what is open."""
        self._path(self.name).unlink(missing_ok=True)
        self._lock.close()

    def lives(self, name: str) -> bool:
        """Whether another process is at work still; clears away the file of one that is not."""
        path = self._path(name)
        try:
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _path(self, name: str) -> Path:
        return self._store_path.with_name(f"{self._store_path.name}-{name}.lock")
