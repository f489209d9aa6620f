import os
from collections.abc import Callable

from feedback_lens.calls.batches.context import Context
from feedback_lens.calls.batches.log import BatchRow
from feedback_lens.calls.batches.server import ServerError

FORGET = "FEEDBACK_LENS_FORGET_BATCH"


class Recovery:
    """Finds out what became of batches whose process died, at the points where it can die."""

    def __init__(self, context: Context) -> None:
        self._log, self._owner, self._server = context.log, context.owner, context.server
        self._say = context.say
        self._told: set[str] = set()

    def tidy(self) -> list[BatchRow]:
        """Clear away what dead processes left; returns batches that only need to be closed.

        Open batches stay as they are, for whoever asks for their requests.
        """
        found = []
        for row in self._find_orphans(self._log.find_unfinished):
            if row.status != "open" or row.batch_id == os.environ.get(FORGET):
                self._resolve(row)
            elif not self._log.count_unanswered(row.name) and self._log.take_over(row):
                found.append(row)
        return found

    def take_over(self) -> list[BatchRow]:
        """Open batches of dead processes that hold awaited requests; ours from now on."""
        found = []
        for row in self._find_orphans(self._log.find_awaited):
            if row.status != "open":
                self._resolve(row)
            elif self._log.take_over(row):
                self._say(f"batch {row.batch_id} of an earlier run is taken up again")
                found.append(row)
        for row in self._log.find_awaited():
            self._tell_of(row)
        return found

    def _find_orphans(self, find: Callable[[], list[BatchRow]]) -> list[BatchRow]:
        dead = {row.owner for row in find() if not self._owner.lives(row.owner)}
        # read again: the last that a process wrote may have come between the two
        return [row for row in find() if row.owner in dead]

    def delete(self, name: str, files: tuple[str, ...]) -> None:
        """Delete the files of a batch that is done: users' logs are private."""
        for file in files:
            try:
                self._server.delete(file)
            except ServerError as trouble:
                self._say(f"file {file} could not be deleted at the server ({trouble}); delete it")
        self._log.finish(name)

    def _resolve(self, row: BatchRow) -> None:
        """Clear up a batch that is not open, or is to be forgotten."""
        batch_id = None
        if row.status == "submitting":
            batch_id = self._server.look_up(row.name)
        if not self._log.take_over(row):
            return
        if row.status == "done":
            self.delete(row.name, row.files)
        elif batch_id:
            self._log.keep_id(row.name, batch_id)
            self._log.leave(row.name)
        else:
            if row.batch_id:
                self._say(f"batch {row.batch_id} is forgotten, as {FORGET} says")
            self._log.forget(row.name)

    def _tell_of(self, row: BatchRow) -> None:
        if row.name not in self._told and self._owner.lives(row.owner):
            self._told.add(row.name)
            which = f"batch {row.batch_id}" if row.batch_id else "a batch"
            self._say(f"requests stand in {which} of another process; waiting for its answers")
