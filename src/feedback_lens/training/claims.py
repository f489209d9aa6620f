"""One process at a time trains a run; who waited for it takes its result."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click


@contextmanager
def claimed(run: Path) -> Iterator[None]:
    """Hold a run's folder alone; wait, saying for whom, while another process holds it.

    The system gives the claim back however the process ends. A launcher that this process becomes
    keeps it.
    """
    with _lock_file(run, "claim") as file:
        # told before the claim is tried: a holder that is not told of who waits drops its result
        with _lock_file(run, "waiting") as waiting:
            fcntl.flock(waiting, fcntl.LOCK_SH)
            _wait_for(file)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename} in {Path.cwd()}\n")
        file.flush()
        os.set_inheritable(file.fileno(), True)
        yield


def _wait_for(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        click.echo(f"{holder} trains the same model; waiting for its result", err=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def is_awaited(run: Path) -> bool:
    """Whether another process waits for the run's result."""
    with _lock_file(run, "waiting") as waiting:
        try:
            fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _lock_file(run: Path, purpose: str) -> IO[str]:
    """Beside the runs' folders and never removed: who waits at it must not wait at a ghost."""
    folder = run.parent.parent / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / f"{run.name}.{purpose}").open("a+", encoding="utf-8")
