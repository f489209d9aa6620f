"""Asks a web service for scores, text by text: paced, retried, and told apart by what it says."""

import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from feedback_lens.calls.circuit import Circuit
from feedback_lens.calls.pacing import Lane
from feedback_lens.calls.problem import Problem
from feedback_lens.calls.request import Delivery, Request, Response
from feedback_lens.calls.settings import read_endpoint_settings

# seconds of the first wait between tries, doubled up to the second
BACKOFF = (0.5, 60.0)


class Service(Protocol):
    """A service that scores texts. `mend` is what to look at where it refuses every request."""

    mend: str

    def ask(self, request: Request) -> Response | Problem:
        """Ask once; called from several threads."""


class Loss(NamedTuple):
    """A request without an answer; a `problem` of None: it was not sent any more."""

    problem: Problem | None
    stop: bool = False


class ServiceCircuit(Circuit):
    """Opens when sending more is hopeless, and names the service's own mend."""

    def __init__(self, purpose: str, mend: str) -> None:
        super().__init__(purpose)
        self._mend = mend

    def _advise(self) -> str:
        return f"{self._mend}, then " if self.is_open or not self._answers else ""


class ServiceSender:
    """Has up to FEEDBACK_LENS_CONCURRENCY requests under way, at a pace, and retries what passes.

    A place is free again when the answer was collected and kept. The pace is FEEDBACK_LENS_RPM
    requests a minute, else `requests_per_minute` (None: as fast as the service lets).
    """

    takes_turns = True

    def __init__(
        self, purpose: str, service: Service, requests_per_minute: float | None = None
    ) -> None:
        self._service, self._settings = service, read_endpoint_settings()
        self._stopped = threading.Event()
        self._pace = _Pace(self._settings.requests_per_minute or requests_per_minute, self._stopped)
        self._circuit = ServiceCircuit(purpose, service.mend)
        self._asked: SimpleQueue[Request | None] = SimpleQueue()
        self._answered: SimpleQueue[Delivery | Loss | Exception] = SimpleQueue()
        self._under_way = self._workers = 0

    def has_room(self) -> bool:
        """Whether one more request may be started."""
        return not self._circuit.is_open and self._under_way < self._settings.in_flight

    def start(self, request: Request) -> None:
        """Send a request, as soon as the pace lets it."""
        self._under_way += 1
        if self._workers < self._under_way:
            self._workers += 1
            # a request that hangs must not keep the process from ending
            threading.Thread(target=self._work, daemon=True).start()
        self._asked.put(request)

    def collect(self) -> list[Delivery]:
        """Wait for answers; an empty list when nothing is under way any more.

        Raises:
            InputError: nothing is under way, and the service lets no more through.
        """
        while self._under_way:
            if deliveries := self._take(self._answered.get()):
                return deliveries + self._drain()
        if self._circuit.is_open:
            self._circuit.report()
        return []

    def finish(self) -> None:
        """Tell of losses.

        Raises:
            InputError: requests got no answer.
        """
        self._circuit.report()

    def close(self) -> list[Delivery]:
        """Abandon what is under way; returns what had arrived."""
        self._stopped.set()
        for _ in range(self._workers):
            self._asked.put(None)
        return self._drain()

    def _drain(self) -> list[Delivery]:
        found: list[Delivery] = []
        while not self._answered.empty():
            found += self._take(self._answered.get())
        return found

    def _take(self, result: Delivery | Loss | Exception) -> list[Delivery]:
        self._under_way -= 1
        if isinstance(result, Exception):
            raise result
        if isinstance(result, Delivery):
            self._circuit.note_answer()
            return [result]
        if result.problem is None:
            self._circuit.note_abandoned()
        else:
            self._circuit.note_loss(result.problem, result.stop)
        if self._circuit.is_open:
            self._stopped.set()
        return []

    def _work(self) -> None:
        while request := self._asked.get():
            try:
                self._answered.put(self._answer(request))
            except Exception as error:  # raised again where it is collected
                self._answered.put(error)

    def _answer(self, request: Request) -> Delivery | Loss:
        started, tries, refusals = None, 0, 0
        while self._pace.admit():
            sent = time.monotonic()
            started = started or sent
            found = self._service.ask(request)
            if isinstance(found, Response):
                return Delivery(request, found, "endpoint", 0.0, time.monotonic() - sent)
            # to be asked for a slower pace costs no try
            tries, refusals = tries + (not found.limited), refusals + found.limited
            wait = _choose_wait(found, refusals if found.limited else tries)
            late = time.monotonic() - started + wait > self._settings.total_timeout
            if not found.passing or late or tries > self._settings.retries:
                # no request would be let through sooner
                return Loss(found, stop=found.limited)
            if found.limited:
                self._pace.hold(wait)
            elif self._stopped.wait(wait):
                break
        return Loss(None)


class _Pace:
    """Lets requests of several threads out, at most so many a minute (None: no limit)."""

    def __init__(self, requests_per_minute: float | None, stopped: threading.Event) -> None:
        self._lane = Lane(None if requests_per_minute is None else requests_per_minute / 60)
        self._stopped, self._lock, self._open_at = stopped, threading.Lock(), 0.0

    def admit(self) -> bool:
        """Wait until a request may go out; False where none may any more."""
        with self._lock:
            start = self._lane.book(1, time.monotonic())
        while (wait := max(start, self._open_at) - time.monotonic()) > 0:
            if self._stopped.wait(wait):
                return False
        return not self._stopped.is_set()

    def hold(self, seconds: float) -> None:
        """Let nothing out for so long."""
        with self._lock:
            self._open_at = max(self._open_at, time.monotonic() + seconds)


def _choose_wait(
    problem: Problem, tries: int, draw: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds to the next try: as the service says, else doubled each time, with jitter."""
    if problem.wait is not None:
        return problem.wait
    longest: float = min(BACKOFF[0] * 2 ** max(0, tries - 1), BACKOFF[1])
    return longest * draw(0.75, 1.0)
