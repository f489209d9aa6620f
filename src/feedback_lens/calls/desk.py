from collections.abc import Callable, Iterator, Sequence

from tqdm import tqdm

from feedback_lens.calls.request import Delivery, Request, Response
from feedback_lens.calls.sender import Sender
from feedback_lens.calls.store import ResponseStore
from feedback_lens.calls.turn import Turn

Answer = tuple[Request, Response]


class Desk:
    """Hands out answers: kept ones at once, the others as they come and are kept."""

    def __init__(
        self,
        store: ResponseStore,
        purpose: str,
        total: int | None,
        turn: Turn,
        open_sender: Callable[[Request], Sender],
    ) -> None:
        self._store, self._purpose, self._open_sender = store, purpose, open_sender
        self._total, self._turn = total, turn
        self._sender: Sender | None = None
        self._progress: tqdm | None = None
        self._served = 0
        # under way, with everyone who asked
        self._asked: dict[str, list[Request]] = {}
        self._found: dict[str, Response] = {}
        self._unkept: Sequence[Delivery] = ()

    def serve(self, chunk: Sequence[Request], found: dict[str, Response]) -> Iterator[Answer]:
        """Answer requests, of which `found` are kept; those under way are answered later."""
        self._found = found
        for request in chunk:
            if request.key in self._asked:
                self._asked[request.key].append(request)
                continue
            if request.key not in self._found and self._sender is None:
                self._open(request, chunk)
            if request.key not in self._found:
                yield from self._send(request)
            else:
                yield request, self._found[request.key]
                self._count(1)

    def finish(self) -> Iterator[Answer]:
        """The answers that are still under way.

        Raises:
            InputError: requests got no answer.
        """
        while self._sender and (deliveries := self._sender.collect()):
            yield from self._keep(deliveries)
            self._found = {}
        if self._sender:
            self._sender.finish()
        assert not self._asked, "a request got neither an answer nor an error"

    def close(self) -> None:
        """Keep what has arrived, and abandon what is under way."""
        if self._sender:
            # with what could not be kept before: the store may have been locked
            for _ in self._keep([*self._unkept, *self._sender.close()]):
                pass
        if self._progress is not None:
            self._progress.close()

    def _open(self, request: Request, chunk: Sequence[Request]) -> None:
        self._sender = self._open_sender(request)
        if self._sender.takes_turns:
            self._turn.take()
            # what another process was answered before the turn came
            self._found |= self._store.get([request.key for request in chunk])

    def _send(self, request: Request) -> Iterator[Answer]:
        assert self._sender is not None
        while not self._sender.has_room():
            yield from self._keep(self._sender.collect())
        self._asked[request.key] = [request]
        self._sender.start(request)

    def _keep(self, deliveries: Sequence[Delivery]) -> Iterator[Answer]:
        if not deliveries:
            return
        if self._progress is None:
            self._progress = tqdm(
                total=self._total, initial=self._served, desc=self._purpose, unit="reply"
            )
        self._unkept = deliveries
        kept = self._store.keep(deliveries, self._purpose)
        self._unkept = ()
        # what was looked up before it came may be asked again in the same chunk
        self._found |= kept
        self._count(len(deliveries))
        for key, response in kept.items():
            for request in self._asked.pop(key):
                yield request, response

    def _count(self, answers: int) -> None:
        self._served += answers
        if self._progress is not None:
            self._progress.update(answers)
