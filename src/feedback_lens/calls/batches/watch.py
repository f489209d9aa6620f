import sys
import time
from collections.abc import Iterator

from tqdm import tqdm

from feedback_lens.calls.batches.context import Context
from feedback_lens.calls.batches.log import BatchRow
from feedback_lens.calls.batches.open_batch import OpenBatch
from feedback_lens.calls.batches.outbox import Outbox
from feedback_lens.calls.batches.reader import Reader
from feedback_lens.calls.batches.recovery import FORGET, Recovery
from feedback_lens.calls.batches.results import Flaws
from feedback_lens.calls.batches.server import ENDED, BatchState, ServerError
from feedback_lens.calls.batches.submission import Submission
from feedback_lens.calls.problem import (
    HOPELESS_CODES,
    advise_on_logprobs,
    refuses_logprobs,
    scrub,
)
from feedback_lens.calls.request import Delivery
from feedback_lens.errors import InputError

# batches that a request may come back from without an answer
ROUNDS = 3
# waits between two looks grow to so many times the first, while nothing happens
SLOWEST = 10
SLOWED = 1.5
# of a server's reasons, so many are shown
REASONS = 3


class Watch:
    """Looks at our batches at the server, `open`, and takes what comes of them.

    `moved`: something has happened since the last wait.
    """

    def __init__(
        self, context: Context, outbox: Outbox, submission: Submission, recovery: Recovery
    ) -> None:
        self._context, self._outbox = context, outbox
        self._submission, self._recovery = submission, recovery
        self._reader = Reader(context)
        self._wait = context.pause
        self._bar: tqdm | None = None
        self.open: dict[str, OpenBatch] = {}
        self.moved = False

    @property
    def requests(self) -> int:
        """How many stand in open batches."""
        return sum(batch.requests for batch in self.open.values())

    def add(self, batch: OpenBatch) -> None:
        """Wait for a batch."""
        self.open[batch.name] = batch
        self.moved = True

    def take_over(self, row: BatchRow) -> None:
        """Wait for a batch of a process that died."""
        assert row.batch_id is not None
        requests = self._context.log.count_unanswered(row.name)
        patience = self._context.be_patient()
        ours = (row.name, row.batch_id, row.purpose, row.model, requests, patience)
        self.add(OpenBatch(*ours, taken_over=True))

    def look(self) -> Iterator[list[Delivery]]:
        """Ask the server how far each batch is; answers of those that have ended.

        Raises:
            InputError: a batch was turned down, or is not there, or the server does not answer.
        """
        for batch in list(self.open.values()):
            try:
                yield from self._look_at(batch)
                batch.patience.calm()
            except ServerError as error:
                if error.status == 404:
                    raise InputError(
                        f"{self._context.purpose}: batch {batch.batch_id} or its files are not "
                        f"known to the server ({error}); use the key of the project that sent it, "
                        f"or set {FORGET}={batch.batch_id} to send its requests again"
                    ) from None
                batch.patience.bear(error.problem)

    def sleep(self) -> None:
        """Wait until the next look; longer, while nothing happens."""
        self.show_progress()
        pause = self._context.pause
        self._wait = pause if self.moved else min(self._wait * SLOWED, pause * SLOWEST)
        self.moved = False
        time.sleep(self._wait)

    def show_progress(self, over: bool = False) -> None:
        """A bar of what the server has done in our batches, while there are some."""
        if self._bar is not None and (over or not self.open):
            self._bar.close()
            self._bar = None
        elif self.open and not over:
            if self._bar is None:
                name = f"{self._context.purpose} at the server"
                self._bar = tqdm(desc=name, unit="reply", leave=False, file=sys.stderr)
            self._bar.total = self.requests
            self._bar.n = sum(batch.done for batch in self.open.values())
            self._bar.refresh()

    def _look_at(self, batch: OpenBatch) -> Iterator[list[Delivery]]:
        state = self._context.server.retrieve(batch.batch_id)
        self.moved |= state.done != batch.done
        batch.done = state.done
        if state.status == "failed":
            self._give_back(batch, state)
        elif state.status in ENDED:
            flaws = Flaws()
            yield from self._reader.read(batch, state, flaws)
            self._finish(batch, state, flaws)

    def _finish(self, batch: OpenBatch, state: BatchState, flaws: Flaws) -> None:
        """A batch has ended and its answers are kept; what it left unanswered goes out again."""
        log, lose = self._context.log, self._context.lose
        if batch.taken_over:
            log.drop_unasked(batch.name)
        lose(log.count_round(batch.name, ROUNDS), batch.reason)
        again = self._outbox.requeue(batch.name, batch.model)
        found = [f"batch {batch.batch_id} is {state.status}"]
        if again:
            found.append(f"{again} requests go out again ({batch.reason})")
        self._context.say("; ".join([*found, *flaws.describe()]))
        self._close(batch, (state.input_file, *state.results))
        self._submission.note_end()
        if self._reader.hopeless:
            words, purpose = self._reader.hopeless.words, self._context.purpose
            mend = "check key, OPENAI_BASE_URL, model and account"
            if refuses_logprobs(words):
                mend = advise_on_logprobs(purpose)
            raise InputError(
                f"{purpose}: the server turns requests down ({words}); what was answered is kept: "
                f"{mend}, then run again"
            )

    def _give_back(self, batch: OpenBatch, state: BatchState) -> None:
        """A batch was turned down as a whole, before anything of it was answered."""
        if batch.taken_over:
            self._context.log.drop_unasked(batch.name)
        reasons = [f"{code}: {message}" for code, message in state.errors[:REASONS]]
        words = scrub("; ".join(reasons) or "without a reason", self._context.server.key)
        is_crowded = any(_is_token_limit(*error) for error in state.errors)
        if is_crowded:
            self._context.say(f"batch {batch.batch_id} has to wait ({words})")
            self._submission.send_smaller(batch, len(self.open) - 1, words)
            self._outbox.requeue(batch.name, batch.model)
        self._close(batch, (state.input_file,))
        if not is_crowded:
            mend = _advise(self._context.purpose, state)
            raise InputError(
                f"{self._context.purpose}: the server turned batch {batch.batch_id} down ({words});"
                f" what was answered before is kept: {mend}, then run again"
            )

    def _close(self, batch: OpenBatch, files: tuple[str, ...]) -> None:
        self._context.log.finish(batch.name, files)
        del self.open[batch.name]
        self.moved = True
        self._recovery.delete(batch.name, files)


def _advise(purpose: str, state: BatchState) -> str:
    """What to do where a batch was turned down as a whole."""
    if any(refuses_logprobs(message) for _, message in state.errors):
        return advise_on_logprobs(purpose)
    if any(code in HOPELESS_CODES for code, _ in state.errors):
        return "check the account, its quota and the model"
    return "mend what it says"


def _is_token_limit(code: str, message: str) -> bool:
    return code == "token_limit_exceeded" or "enqueued token" in message.lower()
