import fcntl
import hashlib
from pathlib import Path
from typing import IO

import click


class Turn:
    """The turn of a stage to ask a model: of all processes with one store, one asks at a time.

    Two experiments that need the same replies would pay for them twice. The system gives the turn
    back however the process ends.
    """

    def __init__(self, store_path: Path, purpose: str, model: str) -> None:
        digest = hashlib.sha256(f"{purpose} {model}".encode("utf-8", "replace")).hexdigest()[:16]
        self._purpose = purpose
        self._path = store_path.with_name(f"{store_path.name}-{digest}.turn")
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Wait until no other process asks the model for the stage."""
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            click.echo(
                f"{self._purpose}: another process asks the same model for this stage; "
                "waiting for its answers, which may be wanted here",
                err=True,
            )
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        """Give the turn to the next."""
        if self._file:
            self._file.close()
