"""Why a request got no answer, and what to do about it."""

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from feedback_lens.calls.completion import clean, read_code
from feedback_lens.calls.request import Response

# every further request would meet the same: the key, the account, the path or the model
HOPELESS_STATUSES = (401, 403, 404)
HOPELESS_CODES = (
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "model_not_found",
    "unsupported_parameter",
    "unsupported_value",
)
# how servers say that they, or the model, give no log-probabilities: with a code or without
LOGPROBS_STATUSES = (400, 403, 422, 501)
# as the openai package: timeouts, conflicts and trouble of the server pass
PASSING_STATUSES = (408, 409, 429)
# of a server's words in a message; a proxy may send a whole page
LONGEST_WORDS = 500
# characters; the keys of all known services are longer
SECRET_LENGTH = 16


@dataclass(frozen=True)
class Problem:
    """What went wrong with one try.

    `passing`: worth another try; `limited`: the server asks for a slower pace, which costs no
    try; `hopeless`: every further request would meet it, but for one that may be due to the request
    alone (`of_request`) where others were answered; `wait` in seconds, as the server says.
    """

    words: str
    passing: bool = True
    limited: bool = False
    hopeless: bool = False
    of_request: bool = False
    wait: float | None = None


def read_problem(status: int, headers: Mapping[str, str], content: Any, words: str) -> Problem:
    """The problem in a reply that is no success; `content` is its JSON, None where it has none."""
    code = read_code(content)
    no_logprobs = status in LOGPROBS_STATUSES and refuses_logprobs(words)
    hopeless = status in HOPELESS_STATUSES or code in HOPELESS_CODES or no_logprobs
    passing = status in PASSING_STATUSES or status >= 500
    if "x-should-retry" in headers:
        passing = headers["x-should-retry"] == "true"
    return Problem(
        words,
        passing=passing and not hopeless,
        limited=status == 429 and passing and not hopeless,
        hopeless=hopeless,
        # a gateway's own filter says 403, too, and words may quote a request
        of_request=status == 403 or no_logprobs,
        wait=read_wait(headers),
    )


def refuses_logprobs(words: str) -> bool:
    """Whether a server's words on an error name log-probabilities, as the parameter is called."""
    return "logprob" in words.lower()


def advise_on_logprobs(purpose: str) -> str:
    """What to do where a server gives no log-probabilities."""
    return f"set {purpose}.logprobs: false in params.yaml"


def read_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date); None without."""
    value = headers.get("Retry-After", "")
    waits = (
        _read_number(headers.get("retry-after-ms", "")) / 1000,
        _read_number(value),
        _read_date(value) - time.time(),
    )
    return next((max(0.0, wait) for wait in waits if not math.isnan(wait)), None)


def _read_number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _read_date(value: str) -> float:
    """Seconds since the epoch; NaN for what is no date."""
    try:
        date = email.utils.parsedate_tz(value)
        return math.nan if date is None else email.utils.mktime_tz(date)
    except (ValueError, OverflowError):
        return math.nan


def read_words(status: int, content: Any, raw: bytes, key: str) -> str:
    """The server's words on an error, without the key, which some servers repeat."""
    error = content.get("error", content) if isinstance(content, dict) else content
    message = error.get("message") if isinstance(error, dict) else error
    text = message if isinstance(message, str) else raw.decode("utf-8", "replace")
    # the key goes before the cut, which could leave a part of it
    return f"HTTP {status}: {' '.join(scrub(text, key).split())[:LONGEST_WORDS]}"


def scrub(text: str, key: str) -> str:
    """An error's words that can be shown: without key, passwords and half characters."""
    return clean(mask_passwords(_remove(text, key)))


def mask_passwords(text: str) -> str:
    """The text without the user and password of its URLs, such as a proxy's."""
    return re.sub(r"(?<=://)[^/\s@]*@", "", text)


def hide_key(response: Response, key: str) -> Response:
    """The response without the key in what the server sent."""
    text, served_model = response.text, response.served_model
    without = None if text is None else _remove(text, key)
    return replace(
        response,
        text=without,
        served_model=None if served_model is None else _remove(served_model, key),
        # their tokens hold all of the text
        logprobs=response.logprobs if without == text else None,
    )


def _remove(text: str, key: str) -> str:
    # servers that need no key are given a word, which replies may hold
    if len(key) < SECRET_LENGTH or key[:4] not in text:
        return text
    # a server or proxy may have wrapped it
    wrapped = r"\s*".join(map(re.escape, key))
    return re.sub(wrapped, "[key]", text)


def parse(raw: bytes) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
