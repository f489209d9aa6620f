"""What a real server refuses before it looks at limits: requests that are none."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from faults import error_body

ROLES = ("developer", "system", "user", "assistant", "tool", "function")
FORMATS = ("text", "json_object", "json_schema")
# least and most of the numbers among the parameters
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "max_tokens": (1, 10**9),
    "max_completion_tokens": (1, 10**9),
}


class RequestError(Exception):
    """A request that gets an error of the API for an answer."""

    def __init__(
        self, status: int, message: str, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.content = error_body(message, status, code, param)


def check_key(request: web.Request) -> None:
    """Raises `RequestError` for a request without a bearer token; any token will do."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token.strip():
        raise RequestError(401, "You didn't provide an API key.")


async def read_body(request: web.Request, most: int) -> dict[str, Any]:
    """The JSON object in a request's body of at most so many bytes, else raises `RequestError`."""
    if (request.content_length or 0) > most:
        raise RequestError(413, f"Maximum content size limit ({most}) exceeded")
    raw = await request.read()
    if len(raw) > most:  # in chunks, without a length
        raise RequestError(413, f"Maximum content size limit ({most}) exceeded")
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise RequestError(400, "We could not parse the JSON body of your request.")
    return body


def check_body(body: Mapping[str, Any]) -> None:
    """Raises `RequestError` where a parameter of a chat completion is missing or of another type."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise RequestError(400, "you must provide a model parameter", param="model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestError(
            400, "'messages' must be an array of one or more messages", param="messages"
        )
    for number, message in enumerate(messages):
        _check_message(message, f"messages[{number}]")
    for name, (least, most) in RANGES.items():
        value = body.get(name)
        if value is not None and not _is_within(value, least, most):
            raise RequestError(400, f"Invalid value for '{name}': {least} to {most}", param=name)
    if not isinstance(body.get("logprobs"), bool | None):
        raise RequestError(400, "Invalid type for 'logprobs': a boolean", param="logprobs")
    if body.get("stream"):
        raise RequestError(400, "This server does not stream", param="stream")
    if body.get("response_format") is not None:
        _check_format(body["response_format"])


def _check_message(message: Any, place: str) -> None:
    if not isinstance(message, dict):
        raise RequestError(400, f"Invalid type for '{place}': expected an object", param=place)
    if message.get("role") not in ROLES:
        raise RequestError(400, f"Invalid value for '{place}.role'", param=f"{place}.role")
    if not isinstance(message.get("content"), str | list):
        raise RequestError(
            400,
            f"Invalid type for '{place}.content': expected a string or an array",
            param=f"{place}.content",
        )


def _is_within(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and least <= value <= most


def _check_format(response_format: Any) -> None:
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind not in FORMATS:
        raise RequestError(400, "Invalid value for 'response_format.type'", param="response_format")
    if kind != "json_schema":
        return
    named = response_format.get("json_schema")
    if not isinstance(named, dict) or not named.get("name") or "schema" not in named:
        raise RequestError(
            400,
            "Missing required parameter: 'response_format.json_schema' needs a name and a schema",
            param="response_format.json_schema",
        )
