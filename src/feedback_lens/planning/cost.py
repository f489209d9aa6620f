"""What so many calls would come to: tokens, US dollars at list price, hours."""

import os
from dataclasses import dataclass

from feedback_lens.calls.catalog import ModelFacts
from feedback_lens.calls.settings import read_endpoint_settings
from feedback_lens.errors import InputError

PROVIDERS = ("endpoint", "batch")


@dataclass(frozen=True)
class Cost:
    """What calls come to; null is unknown. `batch_usd` is what they cost by the Batch API."""

    calls: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usd: float | None = None
    batch_usd: float | None = None
    hours: float | None = None


NOTHING = Cost(0, 0, 0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Pace:
    """How fast calls go: so many at once, under limits a minute (or none); not known of batches."""

    provider: str
    concurrency: int
    requests_per_minute: float | None
    tokens_per_minute: float | None

    def hours(self, calls: int, tokens: int | None, seconds: float) -> float | None:
        """Hours of calls with so many tokens in all; null where these are limited and unknown.

        A batch has its time from the server: up to 24 hours.
        """
        if self.provider == "batch":
            return None
        times = [calls * seconds / self.concurrency / 3600]
        if self.requests_per_minute:
            times.append(calls / self.requests_per_minute / 60)
        if self.tokens_per_minute:
            if tokens is None:
                return None
            times.append(tokens / self.tokens_per_minute / 60)
        return max(times)


def read_pace() -> Pace:
    """The pace by FEEDBACK_LENS_PROVIDER, and the settings of the endpoint.

    Raises:
        InputError: one of them has no value that it can have.
    """
    provider = os.environ.get("FEEDBACK_LENS_PROVIDER") or "endpoint"
    if provider not in PROVIDERS:
        known = " and ".join(PROVIDERS)
        raise InputError(f"FEEDBACK_LENS_PROVIDER={provider!r} is unknown; {known} are known")
    settings = read_endpoint_settings()
    return Pace(
        provider,
        settings.in_flight,
        settings.requests_per_minute,
        settings.tokens_per_minute,
    )


def cost_calls(
    calls: int | None,
    prompt_tokens: float | None,
    completion_tokens: float | None,
    facts: ModelFacts,
    pace: Pace,
    seconds: float,
) -> Cost:
    """What calls of an endpoint cost, of so many tokens in all and so many seconds each."""
    if calls == 0:
        return NOTHING
    prompt, completion = (
        None if n is None else round(n) for n in (prompt_tokens, completion_tokens)
    )
    if calls is None or prompt is None or completion is None:
        hours = None if calls is None else pace.hours(calls, None, seconds)
        return Cost(calls, prompt, completion, hours=hours)
    usd = facts.price.cost(prompt, completion) if facts.price else None
    return Cost(
        calls,
        prompt,
        completion,
        usd,
        None if usd is None else usd * facts.batch_share,
        pace.hours(calls, prompt + completion, seconds),
    )
