"""How fast requests may go out: limits a minute, as set, as announced, and as found out by 429s."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

# so much of a limit may go out at once after a moment of silence, in seconds
BURST = 0.25
# the pace is looked at again after so many seconds, and so many replies
REVIEW_SECONDS, REVIEW_REPLIES = 1.0, 20
# more refused than this share: the pace was too high; a server has a stray 429 at any pace
REFUSED_SHARE = 0.05
# what the pace rises by at a review without: it finds a limit that was raised, and costs little
RISE = 1.1


class Lane:
    """Starts spread evenly: one more unit every 1/`rate` seconds; a rate of None is no limit."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self._free_at = 0.0

    def book(self, units: float, now: float) -> float:
        """When so many units may start, in seconds of the monotonic clock."""
        if self.rate is None:
            return now
        start = max(self._free_at, now - BURST)
        self._free_at = start + units / self.rate
        return start

    def correct(self, units: float) -> None:
        """Take units more (or fewer, below 0) than were booked."""
        if self.rate is not None:
            self._free_at += units / self.rate


class Pace:
    """Lets requests out under limits of requests and tokens a minute.

    A limit that is set here holds; else the server's `x-ratelimit-limit-*` headers give it (a
    minute, as OpenAI documents them). Where a server refuses many with 429 all the same, the pace
    becomes what went through, and rises by a tenth a second from there.
    """

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None) -> None:
        self._requests = Lane(_a_second(requests_per_minute))
        self._tokens = Lane(_a_second(tokens_per_minute))
        self._learns_requests = requests_per_minute is None
        self._learns_tokens = tokens_per_minute is None
        # the limit that the pace of requests stays below, a second
        self._limit = self._requests.rate
        self._open_at = 0.0
        self._reviewed_at = time.monotonic()
        self._passed = self._refused = 0

    async def admit(
        self, tokens: float, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Wait, by `pause`, until a request of about so many tokens may go out."""
        now = time.monotonic()
        start = max(self._requests.book(1, now), self._tokens.book(tokens, now))
        while (wait := max(start, self._open_at) - time.monotonic()) > 0:
            await pause(wait)

    def note_answer(self, headers: Mapping[str, str], tokens_over: float) -> None:
        """Learn from a reply: its headers, and the tokens it took beyond the estimate."""
        self._tokens.correct(tokens_over)
        self._learn(headers)
        self._passed += 1
        self._review()

    def note_refusal(self, headers: Mapping[str, str], wait: float | None) -> None:
        """A 429: nothing starts for so many seconds, where the server says how many."""
        self._open_at = max(self._open_at, time.monotonic() + (wait or 0.0))
        self._learn(headers)
        self._refused += 1
        self._review()

    def _review(self) -> None:
        seconds, replies = time.monotonic() - self._reviewed_at, self._passed + self._refused
        if seconds < REVIEW_SECONDS or replies < REVIEW_REPLIES:
            return
        if self._refused > REFUSED_SHARE * replies:
            self._set_rate(max(self._passed, 1) / seconds)
        elif self._requests.rate is not None:
            self._set_rate(self._requests.rate * RISE)
        self._reviewed_at, self._passed, self._refused = time.monotonic(), 0, 0

    def _set_rate(self, rate: float) -> None:
        self._requests.rate = rate if self._limit is None else min(rate, self._limit)

    def _learn(self, headers: Mapping[str, str]) -> None:
        requests, tokens = _read(headers, "requests"), _read(headers, "tokens")
        if self._learns_requests and requests and requests != self._limit:
            self._limit = requests
            self._set_rate(self._requests.rate or requests)
        if self._learns_tokens and tokens:
            self._tokens.rate = tokens


def _a_second(a_minute: float | None) -> float | None:
    return None if a_minute is None else a_minute / 60


def _read(headers: Mapping[str, str], unit: str) -> float | None:
    """The announced limit, a second; None where there is none or it is no number above 0."""
    try:
        limit = float(headers.get(f"x-ratelimit-limit-{unit}", "0"))
    except ValueError:
        return None
    return limit / 60 if 0 < limit < float("inf") else None
