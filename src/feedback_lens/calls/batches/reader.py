from collections.abc import Iterator, Sequence

from feedback_lens.calls.batches.context import Context
from feedback_lens.calls.batches.open_batch import OpenBatch
from feedback_lens.calls.batches.results import Flaws, Result, note_unknown, read_results
from feedback_lens.calls.batches.server import BatchState
from feedback_lens.calls.problem import Problem
from feedback_lens.calls.request import Delivery, Request


class Reader:
    """Takes the answers out of a batch that has ended.

    `hopeless` is the problem that every further request would meet, once one has met it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._log, self._awaited, self._budget = context.log, context.awaited, context.budget
        self.hopeless: Problem | None = None

    def read(self, batch: OpenBatch, state: BatchState, flaws: Flaws) -> Iterator[list[Delivery]]:
        """The answers that were asked for, some hundred at a time.

        The next are read when these are in the store. A file is fetched whole before it is read:
        who takes the answers may be slow, and a file that breaks off must not pass for one with
        lines missing.
        """
        for file_id in state.results:
            with self._context.server.download(file_id, self._context.folder) as file:
                for results in read_results(file, flaws, self._context.server.key):
                    yield from self._take(batch, results, flaws)

    def _take(
        self, batch: OpenBatch, results: Sequence[Result], flaws: Flaws
    ) -> Iterator[list[Delivery]]:
        keys = [result.key for result in results]
        note_unknown(results, self._log.find(batch.name, keys), flaws)
        requests = self._log.load(batch.name, keys)
        answers = {r.key: r for r in results if r.response and r.key in requests}
        asked = self._awaited.filter(list(answers)) if batch.taken_over else frozenset(answers)
        self._keep_unasked(batch, {k: r for k, r in answers.items() if k not in asked}, requests)
        deliveries = [self._settle(requests[key], answers[key]) for key in answers if key in asked]
        if deliveries:
            self._context.losses.answers += len(deliveries)
            yield deliveries
        self._log.mark(batch.name, list(answers))
        self._awaited.remove(list(answers))
        unanswered = [r for r in results if r.key in requests.keys() - answers.keys()]
        self._note_problems(batch, unanswered, requests)

    def _keep_unasked(
        self, batch: OpenBatch, answers: dict[str, Result], requests: dict[str, Request]
    ) -> None:
        """Keep answers that are paid for, though this run has no use for them."""
        kept = self._context.store.get(list(answers))
        new = [self._settle(requests[key], answers[key]) for key in answers if key not in kept]
        if new:
            self._context.store.keep(new, batch.purpose)

    def _settle(self, request: Request, result: Result) -> Delivery:
        assert result.response is not None
        usd = self._budget.settle(request, result.response, result.cached_tokens)
        return Delivery(request, result.response, "batch", usd)

    def _note_problems(
        self, batch: OpenBatch, results: Sequence[Result], requests: dict[str, Request]
    ) -> None:
        """Let go of requests for which another try is of no use."""
        problems = {result.key: result.problem for result in results if result.problem}
        final = []
        for key, problem in problems.items():
            batch.reason = problem.words
            if problem.hopeless:
                self.hopeless = problem
            if not problem.passing:
                final.append(key)
                self._budget.release(requests[key])
                self._context.losses.note(problem.words)
        self._log.drop(batch.name, final)
        self._awaited.remove(final)
