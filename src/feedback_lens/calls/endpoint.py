"""Any server that speaks the OpenAI chat completions API, chosen by OPENAI_BASE_URL.

The `openai` package gives the settings of the call (base URL, key, organization, headers). The
calls themselves go through aiohttp, by a path of the same semantics: building and checking the
package's objects costs several times the CPU of the call itself (benchmarks/throughput.py).
"""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
import click

from feedback_lens.calls.budget import Budget
from feedback_lens.calls.catalog import drop_day
from feedback_lens.calls.circuit import Circuit
from feedback_lens.calls.client import find_proxy, open_client, read_headers
from feedback_lens.calls.clock import PausingLoop
from feedback_lens.calls.completion import build_body, count_cached_tokens
from feedback_lens.calls.pacing import Pace
from feedback_lens.calls.problem import Problem, parse, scrub
from feedback_lens.calls.reply import read_reply
from feedback_lens.calls.request import Delivery, Request
from feedback_lens.calls.settings import read_endpoint_settings

# seconds of the first wait between tries, doubled up to the second
BACKOFF = (0.5, 30.0)
# for pacing before the server has counted: characters of English text a token
CHARACTERS_A_TOKEN = 4


class _StoppedError(Exception):
    """The circuit has opened while a request waited to be sent."""


class Reply(NamedTuple):
    """What the server sent: status, headers (of any case), raw body."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class EndpointSender:
    """Sends up to FEEDBACK_LENS_CONCURRENCY requests at once, and retries what passes.

    A place is free again when the answer was collected and kept, so that a crash costs no more
    answers than are in flight.
    """

    takes_turns = True

    def __init__(self, purpose: str, budget: Budget) -> None:
        self._purpose, self._budget = purpose, budget
        self._settings = settings = read_endpoint_settings()
        self._pace = Pace(settings.requests_per_minute, settings.tokens_per_minute)
        self._circuit = Circuit(purpose)
        self._client = open_client(purpose)
        self._url = f"{str(self._client.base_url).rstrip('/')}/chat/completions"
        self._running: set[asyncio.Task[None]] = set()
        self._arrived: list[Delivery] = []
        self._held: Request | None = None
        self._served: set[str] = set()
        self._broken: BaseException | None = None
        # the runner makes Ctrl-C an orderly end of the requests in flight
        self._runner = asyncio.Runner(loop_factory=PausingLoop)
        self._news, self._stopped = asyncio.Event(), asyncio.Event()
        self._session = self._runner.run(self._open_session())

    def has_room(self) -> bool:
        """Whether one more request may be started."""
        self._start_held()
        room = self._held is None and len(self._running) < self._settings.in_flight
        return room and not self._circuit.is_open

    def start(self, request: Request) -> None:
        """Send a request, as soon as the budget lets it."""
        self._held = request
        self._start_held()

    def collect(self) -> list[Delivery]:
        """Wait for answers; an empty list when nothing is under way any more.

        Raises:
            InputError: nothing is under way, and neither the budget nor the state of the endpoint
                lets more through.
        """
        self._start_held()
        if self._running:
            try:
                self._runner.run(self._wait())
            except KeyboardInterrupt:
                told = f"{self._purpose}: stopped; what was answered is kept: run again to go on"
                click.echo(told, err=True)
                raise
        if self._broken:
            raise self._broken
        if self._arrived:
            found, self._arrived = self._arrived, []
            return found
        if self._circuit.is_open:
            self._circuit.report()
        self._start_held()
        if self._held and not self._running:
            self._budget.refuse()
        return []

    def finish(self) -> None:
        """Tell of losses.

        Raises:
            InputError: requests got no answer.
        """
        self._circuit.report()

    def close(self) -> list[Delivery]:
        """Abandon what is under way; returns what had arrived."""
        with contextlib.suppress(RuntimeError):
            # an interrupt may have left a stop in the loop, which ends the first run
            self._runner.run(asyncio.sleep(0))
        self._runner.run(self._abandon())
        self._runner.close()
        return self._arrived

    def _start_held(self) -> None:
        if self._circuit.is_open or self._held is None:
            return
        if self._budget.reserve(self._held):
            task = self._runner.get_loop().create_task(self._answer(self._held))
            self._running.add(task)
            task.add_done_callback(self._finish)
            self._held = None

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._news.set()
        if not task.cancelled() and (error := task.exception()):
            self._broken = error
        if self._circuit.is_open:
            self._stopped.set()

    async def _pause(self, seconds: float) -> None:
        """Sleep; what sleeps when the circuit opens is not sent any more."""
        if self._stopped.is_set():
            raise _StoppedError
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
            raise _StoppedError

    async def _open_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
            headers=read_headers(self._client),
            proxy=find_proxy(self._client),
        )

    async def _wait(self) -> None:
        while self._running and not (self._arrived or self._broken):
            self._news.clear()
            await self._news.wait()

    async def _abandon(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._session.close()
        await self._client.close()

    async def _answer(self, request: Request) -> None:
        try:
            await self._try_often(request)
        except _StoppedError:
            self._budget.release(request)
            self._circuit.note_abandoned()

    async def _try_often(self, request: Request) -> None:
        body = build_body(request, self._client.base_url.host)
        content = json.dumps(body).encode("ascii")
        started, tries, refusals = time.monotonic(), 0, 0
        while True:
            found = await self._try(request, content)
            if isinstance(found, Delivery):
                self._circuit.note_answer()
                self._arrived.append(found)
                return
            # to be asked for a slower pace costs no try
            tries, refusals = tries + (not found.limited), refusals + found.limited
            wait = _choose_wait(found, refusals if found.limited else tries)
            late = time.monotonic() - started + wait > self._settings.total_timeout
            if not found.passing or late or tries > self._settings.retries:
                self._budget.release(request)
                # no request would be let through sooner
                self._circuit.note_loss(
                    found, stop=found.limited and wait > self._settings.total_timeout
                )
                return
            await self._pause(wait)

    async def _try(self, request: Request, content: bytes) -> Delivery | Problem:
        estimate = _estimate_tokens(request)
        await self._pace.admit(estimate, self._pause)
        sent = time.monotonic()
        try:
            reply = await self._post(content)
        except TimeoutError:
            # the server may have answered, and bill it
            self._budget.charge_worst_case(request)
            return Problem(f"no answer in {self._settings.timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            words = scrub(f"{type(error).__name__}: {error}", self._client.api_key)
            # a header or a URL that cannot be sent
            hopeless = isinstance(error, ValueError)
            return Problem(words, passing=not hopeless, hopeless=hopeless)
        found = self._read(request, reply, time.monotonic() - sent)
        if isinstance(found, Delivery):
            response = found.response
            took = (response.prompt_tokens or 0) + (response.completion_tokens or 0)
            # servers count the estimate where the reply is shorter than it may be
            self._pace.note_answer(reply.headers, max(0.0, took - estimate))
        elif found.limited:
            self._pace.note_refusal(reply.headers, found.wait)
        return found

    async def _post(self, content: bytes) -> Reply:
        async with self._session.post(self._url, data=content) as reply:
            return Reply(reply.status, reply.headers, await reply.read())

    def _notice_model(self, asked: str, served: str | None) -> None:
        """Say so, once, where another model has answered; the reply is kept all the same."""
        if served is None or served in self._served or is_same_model(asked, served):
            return
        self._served.add(served)
        click.echo(f"{self._purpose}: model {served!r} answers for {asked!r}", err=True)

    def _read(self, request: Request, reply: Reply, seconds: float) -> Delivery | Problem:
        content = parse(reply.content)
        response = read_reply(
            reply.status, reply.headers, content, reply.content, self._client.api_key
        )
        if isinstance(response, Problem):
            return response
        self._notice_model(request.model, response.served_model)
        cached = count_cached_tokens(content)
        usd = self._budget.settle(request, response, cached)
        return Delivery(request, response, "endpoint", usd, seconds)


def is_same_model(asked: str, served: str) -> bool:
    """Whether a server's name may be that of the model asked: a snapshot, a path, a file of it."""
    asked, served = drop_day(asked).lower(), drop_day(served).lower()
    return asked in served or served in asked


def _estimate_tokens(request: Request) -> float:
    """Tokens as OpenAI's limit counts a request before it is answered."""
    characters = sum(len(message["content"]) for message in request.messages)
    return max(characters / CHARACTERS_A_TOKEN, request.sampling.max_tokens or 1)


def _choose_wait(problem: Problem, tries: int) -> float:
    """Seconds to the next try: as the server says, else doubled each time, with jitter."""
    if problem.wait is not None:
        return problem.wait
    longest: float = min(BACKOFF[0] * 2 ** max(0, tries - 1), BACKOFF[1])
    return longest * random.uniform(0.75, 1.0)
