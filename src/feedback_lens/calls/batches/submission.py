import sys
import tempfile
import time
from contextlib import suppress

from feedback_lens.calls.batches.context import Context
from feedback_lens.calls.batches.log import Size
from feedback_lens.calls.batches.open_batch import OpenBatch
from feedback_lens.calls.batches.outbox import Chunk, Outbox, make_line
from feedback_lens.calls.batches.server import UNKNOWN_PATH, ServerError
from feedback_lens.calls.problem import Problem
from feedback_lens.errors import InputError


class Submission:
    """Takes files to the server, as many and as large as its limit of enqueued tokens lets through.

    Files are not made smaller than `least` requests.
    """

    def __init__(self, context: Context, outbox: Outbox, least: int) -> None:
        self._context, self._outbox, self._least = context, outbox, least
        self._server, self._log = context.server, context.log
        self._trouble, self._crowded = context.be_patient(), context.be_patient()
        # batches that may be open at once
        self._places = sys.maxsize
        self._not_before = 0.0

    def send(self, open_batches: int) -> OpenBatch | None:
        """Send the next file that is ready, if it may go now; so many batches are open."""
        is_early = time.monotonic() < self._not_before
        if is_early or not self._outbox.ready or open_batches >= self._places:
            return None
        chunk = self._outbox.ready[0]
        try:
            batch_id = self._server.look_up(chunk.name) if chunk.uncertain else None
            batch_id = batch_id or self._upload(chunk)
        except ServerError as error:
            self._trouble.bear(error.problem)
            self._not_before = time.monotonic() + self._context.pause
            return None
        self._trouble.calm()
        self._log.keep_id(chunk.name, batch_id)
        self._outbox.ready.popleft()
        self._context.say(f"batch {batch_id} with {chunk.size.requests} requests is at the server")
        purpose, patience = self._context.purpose, self._context.be_patient()
        return OpenBatch(chunk.name, batch_id, purpose, chunk.model, chunk.size.requests, patience)

    def send_smaller(self, batch: OpenBatch, others: int, words: str) -> None:
        """A batch found no room for its tokens: let it wait for the others that are open.

        Where there is none, files are halved from now on.

        Raises:
            InputError: they are as small as can be, and there was no room for too long.
        """
        self._places = max(1, others)
        self._not_before = time.monotonic() + self._context.pause
        half = max(self._least, batch.requests // 2)
        most = self._outbox.most
        if not others and half >= batch.requests:
            self._crowded.bear(Problem(words))
        elif not others:
            self._outbox.most = Size(min(most.requests, half), most.bytes)

    def note_end(self) -> None:
        """A batch has ended well, which leaves room for more."""
        self._places = min(self._places + 1, sys.maxsize)
        self._crowded.calm()

    def _upload(self, chunk: Chunk) -> str:
        with tempfile.TemporaryFile(dir=self._context.folder) as file:
            for request in self._log.read(chunk.name):
                file.write(make_line(request, self._server.host))
            file.seek(0)
            self._log.submit(chunk.name)
            chunk.uncertain = True
            try:
                return self._server.submit(chunk.name, self._context.purpose, file)
            except ServerError as error:
                if not error.problem.passing:
                    self._withdraw(chunk)
                if error.status in UNKNOWN_PATH:
                    raise InputError(
                        f"{self._context.purpose}: the server at {self._server.endpoint} has no "
                        f"Batch API ({error}); unset FEEDBACK_LENS_PROVIDER to send requests one "
                        "by one"
                    ) from None
                raise

    def _withdraw(self, chunk: Chunk) -> None:
        """After a refusal there is no batch; leave no file either, as far as the server lets us."""
        with suppress(ServerError):
            self._server.withdraw(chunk.name)
            chunk.uncertain = False
