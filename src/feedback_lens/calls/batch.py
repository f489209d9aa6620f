"""The Batch API: files of requests, answered within a day at a share of the price.

Chosen by FEEDBACK_LENS_PROVIDER=batch; docs/batch.md tells users of it. The parts are in batches/.
"""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from feedback_lens.calls.batches.context import open_context
from feedback_lens.calls.batches.log import Size
from feedback_lens.calls.batches.outbox import Outbox, TooLargeError
from feedback_lens.calls.batches.recovery import Recovery
from feedback_lens.calls.batches.results import PIECE
from feedback_lens.calls.batches.server import ServerError
from feedback_lens.calls.batches.submission import Submission
from feedback_lens.calls.batches.watch import Watch
from feedback_lens.calls.budget import Budget
from feedback_lens.calls.request import Delivery, Request, Response

# what a file may hold, by the API's documentation: 50,000 requests and 200 MB
MOST = Size(50_000, 200_000_000)
# files' worth of requests that are under way at once
FILES_UNDER_WAY = 4
# under a limit of enqueued tokens, files are halved down to so many requests
LEAST_REQUESTS = 100


class BatchSender:
    """Sends requests in batches, and picks up those that an earlier run left at the server.

    Every step is written down before it is taken (batches/database.py), so that a run that is
    killed at any moment pays for no request twice.

    Args:
        purpose: the stage, for messages.
        store_path: the response store, in whose file batches are noted.
        budget: of the stage, with the share of the price that a batch costs.
        most: what a file may hold.
        least_requests: files are not made smaller than this under a limit of enqueued tokens.

    Raises:
        InputError: a variable of the environment cannot be read, or the file is no store.
    """

    # it knows itself which requests stand in a batch of another process
    takes_turns = False

    def __init__(
        self,
        purpose: str,
        store_path: Path,
        budget: Budget,
        most: Size = MOST,
        least_requests: int = LEAST_REQUESTS,
    ) -> None:
        self._most_under_way = FILES_UNDER_WAY * most.requests
        self._context = open_context(purpose, store_path, budget)
        self._outbox = Outbox(self._context, most)
        self._submission = Submission(self._context, self._outbox, least_requests)
        self._recovery = Recovery(self._context)
        self._watch = Watch(self._context, self._outbox, self._submission, self._recovery)
        self._trouble = self._context.be_patient()
        self._tidied = False
        self._held: Request | None = None
        self._answers = self._work()

    def has_room(self) -> bool:
        """Whether one more request may be started."""
        self._start_held()
        return self._held is None and self._count_under_way() < self._most_under_way

    def start(self, request: Request) -> None:
        """Write a request down for the next file; a file that is full goes out.

        Raises:
            InputError: the server takes no batches.
        """
        self._held = request
        self._start_held()
        self._submit()

    def collect(self) -> list[Delivery]:
        """Send what there is, wait for a batch and return some of its answers.

        Returns an empty list when nothing is under way any more.

        Raises:
            InputError: the server does not take batches, or not these, or lets nobody look at
                them, or the budget lets no more through.
        """
        found = next(self._answers, None)
        if found is not None:
            return found
        self._answers = self._work()
        if self._held:
            self._context.budget.refuse()
        return []

    def finish(self) -> None:
        """Tell of losses.

        Raises:
            InputError: requests got no answer.
        """
        self._context.losses.report()

    def close(self) -> list[Delivery]:
        """Leave batches to a later run; nothing has arrived that was not collected."""
        self._answers.close()
        self._watch.show_progress(over=True)
        if self._watch.open:
            ids = ", ".join(batch.batch_id for batch in self._watch.open.values())
            self._context.say(f"{ids} go on at the server; run again later to take the answers")
        self._outbox.abandon()
        self._context.close()
        return []

    def _start_held(self) -> None:
        request = self._held
        if request is None:
            return
        # what stands in a batch is paid for, whatever the budget says
        if self._context.budget.reserve(request) or self._context.log.holds(request.key):
            self._held = None
            try:
                self._outbox.add(request)
            except TooLargeError as error:
                self._context.lose([request], str(error))

    def _count_under_way(self) -> int:
        return self._outbox.requests + self._watch.requests + len(self._context.awaited)

    def _work(self) -> Generator[list[Delivery]]:
        while True:
            self._start_held()
            yield from self._bring_on()
            yield from self._watch.look()
            self._start_held()
            if not self._count_under_way():
                return
            self._watch.sleep()

    def _bring_on(self) -> Iterator[list[Delivery]]:
        """Send what is ready, and see to batches of other processes."""
        try:
            if not self._tidied:
                for row in self._recovery.tidy():
                    self._watch.take_over(row)
                self._tidied = True
            self._outbox.close()
            self._submit()
            while kept := self._outbox.take_kept(PIECE):
                yield self._hand_on(kept)
            if self._context.awaited:
                yield from self._look_at_awaited()
            self._trouble.calm()
        except ServerError as error:
            self._trouble.bear(error.problem)

    def _submit(self) -> None:
        while batch := self._submission.send(len(self._watch.open)):
            self._watch.add(batch)

    def _look_at_awaited(self) -> Iterator[list[Delivery]]:
        """Take batches over from the dead, and see what the living are done with."""
        for row in self._recovery.take_over():
            self._watch.take_over(row)
        while released := self._context.awaited.find_released(PIECE):
            requests = {asked.request.key: asked.request for asked in released}
            found = self._context.store.get(list(requests))
            if found:
                yield self._hand_on([(requests[key], response) for key, response in found.items()])
            self._context.awaited.remove(list(requests))
            for key in requests.keys() - found.keys():
                self._outbox.add(requests[key])
            self._watch.moved = True

    def _hand_on(self, answers: Sequence[tuple[Request, Response]]) -> list[Delivery]:
        """Deliveries of what another process asked, and paid for."""
        for request, _ in answers:
            self._context.budget.release(request)
        self._context.losses.answers += len(answers)
        return [Delivery(request, response, "batch", 0.0) for request, response in answers]
