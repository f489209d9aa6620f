"""A real HTTP server on loopback that speaks the OpenAI chat completions API, for all tests.

It counts what it answered, has limits (`limits`) and misbehaves on demand (`faults`). In a test:
`with serve(plan=first(2, "rate_limited")) as server: ... server.base_url`. On the command line:
`python tests/endpoint.py --port 0 --port-file F --requests-log F --latency 0.2 --hold 20`;
GET /stats and the end by SIGTERM give its counts as JSON.
"""

import asyncio
import hashlib
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

import exact_loop
from chat_server import build_app
from faults import BEHAVES, FAULTS, Plan
from limits import Limits
from roles import play_role
from schemas import fit_format

KEY = "sk-loopback-0123456789"
MEBIBYTE = 2**20
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def fingerprint(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a request's model and messages."""
    content = {"model": body["model"], "messages": body["messages"]}
    return hashlib.sha256(_CANONICAL(content).encode("ascii")).hexdigest()


def play_in_format(body: Mapping[str, Any]) -> str:
    """The role's reply, as JSON of the response format where the request asks for one."""
    return fit_format(play_role(body), body.get("response_format"))


@dataclass(eq=False)
class Endpoint:
    """The server: its settings, which may be set while it runs, and what it counted.

    `received` holds the bodies as they came (where `keep_bodies`), `answered` counts by
    fingerprint; both are complete before the client has the answer.
    """

    port: int = 0  # 0 takes a free one
    reply: Callable[[Mapping[str, Any]], str] = play_in_format
    plan: Plan = BEHAVES
    latency: float = 0.0  # seconds before each answer
    jitter: float = 0.0  # seconds more at most, drawn evenly
    seed: int = 0  # of the jitter
    drip: float = 3.0  # seconds that slow replies take
    limits: Limits = field(default_factory=Limits)
    retry_after: str | None = None  # of planned 429 and 503
    requests_log: Path | None = None  # gets a JSON line for each answered request
    keep_bodies: bool = True
    max_body: int = 32 * MEBIBYTE  # bytes
    models: tuple[str, ...] = ("loopback",)

    def __post_init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.answered: Counter[str] = Counter()
        self.requests = self.hanging = self.in_flight = self.in_flight_peak = 0
        self.first_arrival: float | None = None
        self.last_answer: float | None = None
        self.started = threading.Event()
        self.stopping = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop
        self._random = random.Random(self.seed)
        self._log: TextIO | None = None
        self._socket = socket.create_server(("127.0.0.1", self.port), backlog=4096)
        self.port = self._socket.getsockname()[1]

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    def enter(self) -> None:
        """Note a request whose head has come."""
        self.first_arrival = self.first_arrival or time.time()
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)

    def leave(self) -> None:
        """Note that a request is done with."""
        self.in_flight -= 1

    def note(self, body: dict[str, Any]) -> int:
        """Note a body; returns its number of arrival, from 0."""
        if self.keep_bodies:
            self.received.append(body)
        self.requests += 1
        return self.requests - 1

    def meet(self, arrival: int, body: Mapping[str, Any]) -> str | None:
        """The fault that the plan has for a request."""
        fault = self.plan(arrival, body)
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"{fault!r} is no fault: {sorted(FAULTS)}")
        self.hanging += fault == "hang"
        return fault

    def admit(self, body: dict[str, Any]) -> str | None:
        """Note an arrival; returns the fault it is to meet."""
        return self.meet(self.note(body), body)

    def count(self, body: Mapping[str, Any]) -> None:
        """Note an answer, before it is sent: what a client has is always counted."""
        name = fingerprint(body)
        self.answered[name] += 1
        self.last_answer = time.time()
        if self.requests_log:
            if self._log is None:
                self._log = self.requests_log.open("a", encoding="utf-8", buffering=1)
            self._log.write(json.dumps({"request": name, "model": body["model"]}) + "\n")

    async def work(self, arrived: float) -> None:
        """Wait until the latency since an arrival (by the monotonic clock) is over."""
        latency = self.latency
        if self.jitter:
            latency += self.jitter * self._random.random()
        if latency:
            await asyncio.sleep(arrived + latency - time.monotonic())

    def stats(self) -> dict[str, float | None]:
        """The counts of a run; times in seconds since the epoch, of the first and the last."""
        answers = sum(self.answered.values())
        return {
            "requests": self.requests,
            "answered": answers,
            "duplicates": answers - len(self.answered),
            "admitted": self.limits.admitted,
            "admitted_tokens": self.limits.admitted_tokens,
            "rate_limited": self.limits.refused,
            "hanging": self.hanging,
            "bodies_kept": len(self.received),
            "in_flight_peak": self.in_flight_peak,
            "first_arrival": self.first_arrival,
            "last_answer": self.last_answer,
            "cpu_seconds": time.process_time(),
        }

    async def run(self) -> None:
        """Serve until `stop` is called."""
        self.loop = asyncio.get_running_loop()
        runner = web.AppRunner(build_app(self), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self._socket, backlog=4096).start()
        self.started.set()
        await self.stopping.wait()
        await runner.cleanup()
        if self._log is not None:
            self._log.close()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self.loop.call_soon_threadsafe(self.stopping.set)


def environment(server: Endpoint, folder: Path) -> dict[str, str]:
    """The variables for a client of this server whose store lies in a folder; nothing is retried."""
    return {
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": KEY,
        "NO_PROXY": "127.0.0.1",
        "FEEDBACK_LENS_STORE": str(folder / "store.sqlite"),
        "FEEDBACK_LENS_CONCURRENCY": "4",
        "FEEDBACK_LENS_TIMEOUT": "10",
        "FEEDBACK_LENS_RETRIES": "0",
        "FEEDBACK_LENS_OFFLINE": "0",
    }


@contextmanager
def serve(**settings: Any) -> Iterator[Endpoint]:
    """Run an `Endpoint` with these settings in a thread until the block ends."""
    server = Endpoint(**settings)
    thread = threading.Thread(target=exact_loop.run, args=(server.run(),), daemon=True)
    thread.start()
    assert server.started.wait(60), "the loopback endpoint did not start"
    try:
        yield server
    finally:
        server.stop()
        thread.join()


if __name__ == "__main__":
    from endpoint_command import main

    main()
