"""How the loopback endpoint misbehaves: by name, in the words of OpenAI's server."""

from collections.abc import Callable, Mapping
from typing import Any

# status, code and message of errors
ERRORS = {
    "rate_limited": (429, "rate_limit_exceeded", "Rate limit reached"),
    "out_of_quota": (429, "insufficient_quota", "You exceeded your current quota"),
    "broken": (500, "server_error", "The server had an error"),
    "overloaded": (503, "server_error", "The server is overloaded"),
    "wrong_key": (401, "invalid_api_key", "Incorrect API key provided: {authorization}"),
    "no_access": (403, "unsupported_country", "Country not supported"),
    "unknown_model": (404, "model_not_found", "The model does not exist or you have no access"),
    "content_filter": (400, "content_filter", "The prompt was filtered: {authorization}"),
    "too_long": (400, "context_length_exceeded", "The maximum context length is 8 tokens"),
}
# the request itself is at fault: as much an answer as a reply is
FINAL_ERRORS = ("content_filter", "too_long")
# bodies that are no completion, with status 200
NO_COMPLETIONS = {
    "no_json": ("application/json", b"{'this is': no JSON"),
    "no_choices": ("application/json", b'{"error": "a proxy that cannot say 500"}'),
    "no_message": ("application/json", b'{"choices": [{"index": 0, "finish_reason": "stop"}]}'),
    "page": ("text/html", b"<html>Please log in</html>"),
}
# connections that end early or never: `hang`, `reset`, `half_body`
# completions with a flaw: `length`, `filtered_reply`, `refusal`, `no_usage`
FINISH_REASONS = {"length": "length", "filtered_reply": "content_filter"}

# the misbehavior for the n-th arrival (from 0) of a request with this body; None is none
Plan = Callable[[int, Mapping[str, Any]], str | None]


def first(count: int, fault: str) -> Plan:
    """The first requests meet a fault, all later ones none."""
    return lambda arrival, body: fault if arrival < count else None


def always(fault: str | None) -> Plan:
    """Every request meets a fault."""
    return lambda arrival, body: fault


def hold_after(count: int) -> Plan:
    """The first requests are answered, all later ones hang."""
    return lambda arrival, body: None if arrival < count else "hang"


BEHAVES = always(None)


def complete(body: Mapping[str, Any], text: str, fault: str | None) -> dict[str, Any]:
    """The completion object for a request; tokens are counted as words."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    asked = sum(len(str(message["content"]).split()) for message in body["messages"])
    completion = {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 0,
        "model": f"{body['model']}-loopback",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": FINISH_REASONS.get(fault or "", "stop"),
            }
        ],
    }
    if fault != "no_usage":
        given = len(text.split())
        completion["usage"] = {
            "prompt_tokens": asked,
            "completion_tokens": given,
            "total_tokens": asked + given,
        }
    return completion
