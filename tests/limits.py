"""Limits on requests and tokens per minute, enforced and announced as OpenAI's server does."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faults import error_body


class Bucket:
    """What may be used per minute, of which `burst` seconds' worth may be used at once.

    Real servers enforce a limit over short periods: 60 per minute as 1 per second.
    """

    def __init__(self, per_minute: float, burst: float) -> None:
        self.limit = per_minute
        self.rate = per_minute / 60
        self.capacity = max(1.0, self.rate * burst)
        self.used = 0.0
        self._seen = 0.0

    def refill(self, now: float) -> None:
        """Give back what the time since the last call is worth; `now` in seconds."""
        self.used = max(0.0, self.used - (now - self._seen) * self.rate)
        self._seen = now

    def wait(self, amount: float) -> float:
        """Seconds until an amount is free; one above the capacity waits for all of it."""
        over = self.used + min(amount, self.capacity) - self.capacity
        return over / self.rate if over > 1e-6 else 0.0

    def headers(self, name: str) -> dict[str, str]:
        """The three headers on requests or tokens."""
        return {
            f"x-ratelimit-limit-{name}": f"{self.limit:.0f}",
            f"x-ratelimit-remaining-{name}": str(max(0, math.floor(self.limit - self.used))),
            f"x-ratelimit-reset-{name}": write_duration(self.used / self.rate),
        }


@dataclass(frozen=True)
class Refusal:
    """A request over the limit: the body of its 429, and seconds until it would be admitted."""

    content: dict[str, Any]
    wait: float | None


class Limits:
    """The limits of a server; None is no limit.

    Args:
        rpm: requests per minute.
        tpm: tokens per minute.
        burst: seconds' worth of a limit that may be used at once.
        headers: whether any header tells of the limits (those of vLLM and llama.cpp do not).
        retry_after: whether a refusal says when to come again.
    """

    def __init__(
        self,
        rpm: float | None = None,
        tpm: float | None = None,
        burst: float = 1.0,
        headers: bool = True,
        retry_after: bool = True,
    ) -> None:
        kinds = {"requests": rpm, "tokens": tpm}
        self.buckets = {name: Bucket(limit, burst) for name, limit in kinds.items() if limit}
        self.announced, self.retry_after = headers, headers and retry_after
        self.admitted = self.admitted_tokens = self.refused = 0

    def take(self, tokens: int, now: float) -> Refusal | None:
        """Admit a request of so many tokens at a time in seconds, or say why not."""
        amounts = {"requests": 1, "tokens": tokens}
        for name, bucket in self.buckets.items():
            bucket.refill(now)
            if refusal := _refuse(name, bucket, amounts[name]):
                self.refused += 1
                return refusal
        for name, bucket in self.buckets.items():
            bucket.used += amounts[name]
        self.admitted += 1
        self.admitted_tokens += tokens
        return None

    def headers(self, refusal: Refusal | None = None) -> dict[str, str]:
        """The headers of a reply, and of a refusal when to come again."""
        headers: dict[str, str] = {}
        if self.announced:
            for name, bucket in self.buckets.items():
                headers |= bucket.headers(name)
        if self.retry_after and refusal and refusal.wait is not None:
            headers["Retry-After"] = str(math.ceil(refusal.wait))
            headers["retry-after-ms"] = str(math.ceil(refusal.wait * 1000))
        return headers


def _refuse(name: str, bucket: Bucket, amount: int) -> Refusal | None:
    figures = f"per min: Limit {bucket.limit:.0f}, Used {bucket.used:.0f}, Requested {amount}."
    if amount > bucket.limit:
        text = f"Request too large on {name} {figures} It must be reduced."
        return Refusal(error_body(text, 429, "rate_limit_exceeded"), None)
    wait = bucket.wait(amount)
    if not wait:
        return None
    text = f"Rate limit reached on {name} {figures} Please try again in {write_duration(wait)}."
    return Refusal(error_body(text, 429, "rate_limit_exceeded"), wait)


def count_tokens(body: Mapping[str, Any]) -> int:
    """What a request counts against the token limit.

    Source: OpenAI's guide on rate limits: the larger of `max_tokens` and what the prompt's
    characters come to, here four characters a token.
    """
    characters = sum(len(str(message["content"])) for message in body["messages"])
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return max(asked, math.ceil(characters / 4))


def write_duration(seconds: float) -> str:
    """A duration in the headers' format: 0s, 12ms, 1.5s, 6m0s, 1h0m0s; to the millisecond, up."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    text = f"{rest / 1000:g}s"
    if minutes:
        text = f"{minutes % 60}m{text}"
    return f"{minutes // 60}h{text}" if minutes >= 60 else text
