"""A model call as content: what is asked, its key, and what came back."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Outcome = Literal["answered", "refused", "cut_off", "filtered", "unreadable", "failed"]
OUTCOMES: tuple[Outcome, ...] = (
    "answered",
    "refused",
    "cut_off",
    "filtered",
    "unreadable",
    "failed",
)


@dataclass(frozen=True)
class Sampling:
    """Settings of the decoding, under the names of the chat completions API; None is not sent.

    `logprobs` asks for the log-probability of each token of the reply; False is not sent either.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """The settings that are set; numbers that are equal have one spelling (0 is 0.0)."""
        settings = {
            "temperature": None if self.temperature is None else float(self.temperature),
            "top_p": None if self.top_p is None else float(self.top_p),
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "reasoning_effort": self.reasoning_effort,
            "logprobs": self.logprobs or None,
        }
        return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True)
class Request:
    """One call: model, messages, sampling and response format, and nothing of who sends it when.

    `messages` are chat messages `{"role", "content"}`; `response_format` is the API's object;
    `sample` tells repeated draws of the same request apart (0 is the first).
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    sampling: Sampling = Sampling()
    response_format: Mapping[str, Any] | None = None
    sample: int = 0

    def as_json(self) -> dict[str, Any]:
        """What the key is made of; unset parts are absent, so that new ones keep old keys."""
        content: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in self.messages],
            "sampling": self.sampling.as_json(),
        }
        if self.response_format is not None:
            content["response_format"] = dict(self.response_format)
        if self.sample:
            content["sample"] = self.sample
        return content

    @property
    def canonical(self) -> str:
        """The content as canonical JSON: sorted keys, no blanks, ASCII."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical JSON, 64 hex digits; the name of the request for good."""
        return hashlib.sha256(self.canonical.encode("ascii")).hexdigest()


# tokens in the order of the reply, each with its natural logarithm of a probability, -9999 to 0
Logprobs = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Response:
    """What came back for one request.

    `text` is the raw text and null where the server sent none; `served_model` is the snapshot that
    the server reported; tokens are null where it did not count; `answered_at` is ISO 8601 in UTC;
    `logprobs` are the tokens whose texts, one after the other, are exactly `text` (logprobs.py),
    null where they are not known.
    """

    outcome: Outcome
    text: str | None
    served_model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    answered_at: str | None = None
    logprobs: Logprobs | None = None


Provider = Literal["endpoint", "batch", "local"]


@dataclass(frozen=True)
class Delivery:
    """An answer as it arrives, and what it took.

    `usd` is at the catalog's prices and null where the model has none; `seconds` from sending the
    request that was answered to its reply, null where nobody waited for it (a batch).
    """

    request: Request
    response: Response
    provider: Provider
    usd: float | None = None
    seconds: float | None = None


def count_outcomes(outcomes: Iterable[str]) -> dict[str, int]:
    """Number of rows for each of the six outcomes, zeros included."""
    counts = Counter(outcomes)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def ask_user(
    model: str, prompt: str, sampling: Sampling, response_format: Mapping[str, Any] | None = None
) -> Request:
    """A request of one user message."""
    return Request(model, ({"role": "user", "content": prompt},), sampling, response_format)
