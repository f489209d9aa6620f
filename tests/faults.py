"""How the loopback endpoint misbehaves: by name, in the words of OpenAI's server."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from token_scores import score

# status, code and message of errors
ERRORS: dict[str, tuple[int, str | None, str]] = {
    "rate_limited": (429, "rate_limit_exceeded", "Rate limit reached"),
    "out_of_quota": (429, "insufficient_quota", "You exceeded your current quota"),
    "broken": (500, "server_error", "The server had an error"),
    "should_not_retry": (500, "server_error", "The server had an error that will come again"),
    "overloaded": (503, "server_error", "The server is overloaded"),
    "timeout_504": (504, None, "The upstream server timed out"),
    "conflict_409": (409, None, "Another request holds the lock"),
    "wrong_key": (401, "invalid_api_key", "Incorrect API key provided: {authorization}"),
    "no_access": (403, "unsupported_country", "Country not supported"),
    "unknown_model": (404, "model_not_found", "The model does not exist or you have no access"),
    "content_filter": (400, "content_filter", "The prompt was filtered: {authorization}"),
    "too_long": (400, "context_length_exceeded", "The maximum context length is 8 tokens"),
    "unsupported_parameter": (
        400,
        "unsupported_parameter",
        "Unsupported parameter: 'temperature' is not supported with this model.",
    ),
    "unsupported_format": (400, None, "response_format is not supported by this server"),
    "unsupported_logprobs": (400, None, "This model does not support the 'logprobs' parameter."),
}
# the parameter that an error is about
PARAMETERS = {
    "unsupported_parameter": "temperature",
    "unsupported_format": "response_format",
    "unsupported_logprobs": "logprobs",
}
# the request itself is at fault: as much an answer as a reply is
FINAL_ERRORS = ("content_filter", "too_long")
# replies that are neither completion nor error of the API: status, type and body
NO_COMPLETIONS = {
    "no_json": (200, "application/json", b"{'this is': no JSON"),
    "no_choices": (200, "application/json", b'{"error": "a proxy that cannot say 500"}'),
    "no_message": (
        200,
        "application/json",
        b'{"choices": [{"index": 0, "finish_reason": "stop"}]}',
    ),
    "error_in_200": (
        200,
        "application/json",
        b'{"error": {"message": "Upstream failed", "type": "server_error", "code": "502"}}',
    ),
    "other_encoding": (  # Latin-1, which is no UTF-8
        200,
        "application/json",
        b'{"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant",'
        b' "content": "caf\xe9"}}]}',
    ),
    "empty_body": (200, "application/json", b""),
    "page": (200, "text/html", b"<html>Please log in</html>"),
    "bad_gateway": (502, "text/html", b"<html><h1>502 Bad Gateway</h1>nginx</html>"),
}
# replies that end early or never
BROKEN_OFF = ("hang", "reset", "disconnect", "half_body")
# answers that take seconds to come in
SLOW = ("slow_head", "slow_body")
# completions that are whole and have a flaw
FLAWS = (
    "length",
    "filtered_reply",
    "refusal",
    "null_content",
    "no_usage",
    "no_logprobs",
    "wrong_model",
    "duplicate_choices",
    "huge",
)
FAULTS = frozenset((*ERRORS, *NO_COMPLETIONS, *BROKEN_OFF, *SLOW, *FLAWS))
FINISH_REASONS = {"length": "length", "filtered_reply": "content_filter"}
HUGE = 5_000_000  # characters

# the misbehavior for the n-th arrival (from 0) of a request with this body; None is none
Plan = Callable[[int, Mapping[str, Any]], str | None]


def first(count: int, fault: str) -> Plan:
    """The first requests meet a fault, all later ones none."""
    return lambda arrival, body: fault if arrival < count else None


def always(fault: str | None) -> Plan:
    """Every request meets a fault."""
    return lambda arrival, body: fault


BEHAVES = always(None)


def hold_after(count: int, before: Plan = BEHAVES) -> Plan:
    """The first requests are answered (or meet another plan), all later ones hang."""
    return lambda arrival, body: before(arrival, body) if arrival < count else "hang"


def asked_for(parameter: str, fault: str) -> Plan:
    """Requests meet a fault as long as their body has a parameter."""
    return lambda arrival, body: fault if parameter in body else None


def share(fraction: float, faults: Sequence[str], seed: int) -> Plan:
    """A pseudo-random fraction of the arrivals meets one of the faults.

    It hangs on the arrival alone, so that a request that is sent again has a chance of its own.
    """

    def meet(arrival: int, body: Mapping[str, Any]) -> str | None:
        digest = hashlib.sha256(f"{seed} {arrival}".encode("ascii")).digest()
        if int.from_bytes(digest[:8]) >= fraction * 2**64:
            return None
        return faults[int.from_bytes(digest[8:16]) % len(faults)]

    return meet


def describe_error(fault: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
    """Status and body of an error; a rude server repeats the key that it was sent."""
    status, code, message = ERRORS[fault]
    text = message.replace("{authorization}", str(authorization))
    return status, error_body(text, status, code, PARAMETERS.get(fault))


def error_body(
    message: str, status: int, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """The body of an error as OpenAI's server writes it."""
    kind = "invalid_request_error" if status < 500 and status != 429 else code or "server_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def complete(body: Mapping[str, Any], text: str, fault: str | None) -> dict[str, Any]:
    """The completion object for a request; in its usage, tokens are counted as words."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif fault == "null_content":
        message["content"] = None
    elif fault == "huge":
        message["content"] = text = ("word " * HUGE)[:HUGE]
    reason = FINISH_REASONS.get(fault or "", "stop")
    logprobs = None if fault == "no_logprobs" else _score(body, message)
    choices = [{"index": 0, "message": message, "finish_reason": reason, "logprobs": logprobs}]
    if fault == "duplicate_choices":
        second = message | {"content": f"Not this one: {text}"}
        choices.append({"index": 1, "message": second, "finish_reason": reason, "logprobs": None})
    completion = {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 0,
        "model": "another-model" if fault == "wrong_model" else f"{body['model']}-loopback",
        "choices": choices,
    }
    if fault != "no_usage":
        asked = sum(len(str(message["content"]).split()) for message in body["messages"])
        given = len(text.split())
        completion["usage"] = {
            "prompt_tokens": asked,
            "completion_tokens": given,
            "total_tokens": asked + given,
        }
    return completion


def _score(body: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The log-probabilities of a message, where the request asks for them."""
    if not body.get("logprobs"):
        return None
    texts = {name: message[name] for name in ("content", "refusal")}
    return {name: None if text is None else score(text) for name, text in texts.items()}
