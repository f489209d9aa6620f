"""A chat completion: the body that asks for it, and the response that is read from it.

Shared by all providers that speak the OpenAI API, so that they give the same responses.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from feedback_lens.calls.logprobs import read_logprobs
from feedback_lens.calls.request import Logprobs, Outcome, Request, Response

# a 400 for the text itself: it would come again for good, so it is kept as the answer
FINAL_CODES: dict[str, Outcome] = {
    "content_filter": "filtered",
    "content_policy_violation": "filtered",
    "invalid_prompt": "filtered",
    "context_length_exceeded": "failed",
    "string_above_max_length": "failed",
}
# how vLLM, SGLang and llama.cpp say so, who send no code
TOO_LONG = ("maximum context length", "model's context length", "available context size")
FINISH_REASONS: dict[str, Outcome] = {"length": "cut_off", "content_filter": "filtered"}
# vLLM, SGLang and OpenRouter: the server broke off, and what came is no answer
BROKEN_OFF = ("abort", "error")


class CompletionError(Exception):
    """The server sent something other than a chat completion."""


def build_body(request: Request, host: str) -> dict[str, Any]:
    """The body of the call, for a server of this host name."""
    sampling = request.sampling.as_json()
    if "seed" in sampling:
        # a further draw with the same seed would be the same reply
        sampling["seed"] += request.sample
    if host == "api.openai.com" and "max_tokens" in sampling:
        # OpenAI's newer models refuse the name that all other servers know
        sampling["max_completion_tokens"] = sampling.pop("max_tokens")
    messages = [dict(message) for message in request.messages]
    body: dict[str, Any] = {"model": request.model, "messages": messages, **sampling}
    if request.response_format is not None:
        body["response_format"] = dict(request.response_format)
    # users' logs are private: the server is told to keep nothing
    return body | {"store": False}


def read_completion(content: Any) -> Response:
    """The response in a chat completion object.

    Raises:
        CompletionError: it is none.
    """
    try:
        choice, usage = content["choices"][0], content.get("usage")
        if content.get("error") or choice["finish_reason"] in BROKEN_OFF:
            raise TypeError
        message, model = choice["message"], content.get("model")
        refusal = message.get("refusal")
        text = refusal or message.get("content")
        text = None if text is None else clean(text)
        outcome = FINISH_REASONS.get(choice["finish_reason"], "answered")
        return Response(
            outcome="refused" if refusal else outcome,
            text=text,
            served_model=clean(model) if isinstance(model, str) else None,
            prompt_tokens=_read_count(usage, "prompt_tokens"),
            completion_tokens=_read_count(usage, "completion_tokens"),
            answered_at=now(),
            # those of a refusal stand elsewhere, and are of no use
            logprobs=None if refusal else _find_logprobs(choice, text),
        )
    except (AttributeError, IndexError, KeyError, TypeError):
        raise CompletionError("the server sent something other than a chat completion") from None


def count_cached_tokens(content: Any) -> int:
    """Tokens of the prompt that the server had cached, and bills at less; 0 where it is silent."""
    usage = content.get("usage") if isinstance(content, Mapping) else None
    details = usage.get("prompt_tokens_details") if isinstance(usage, Mapping) else None
    return _read_count(details, "cached_tokens") or 0


def read_error(status: int, content: Any, words: str) -> Response | None:
    """The response in an error that the request's own text draws for good; None for any other.

    `words` is what is kept as its text: the server's message without the key.
    """
    if status not in (400, 413):
        return None
    too_long = status == 413 or any(phrase in words for phrase in TOO_LONG)
    outcome = "failed" if too_long else FINAL_CODES.get(str(read_code(content)))
    return Response(outcome, words, answered_at=now()) if outcome else None


def read_code(content: Any) -> str | None:
    """The code of an error object, where there is one."""
    error = content.get("error") if isinstance(content, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return None if code is None else str(code)


def clean(text: str) -> str:
    """The text with a question mark for each lone surrogate: neither store nor table takes one."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _find_logprobs(choice: Mapping[str, Any], text: str | None) -> Logprobs | None:
    there = choice.get("logprobs")
    return read_logprobs(there.get("content"), text) if isinstance(there, Mapping) else None


def _read_count(usage: Any, name: str) -> int | None:
    """A number of tokens; None where the server did not count, or sent something else."""
    count = usage.get(name) if isinstance(usage, Mapping) else None
    # 64 bits: the store takes no more
    fits = isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**63
    return count if fits else None


def now() -> str:
    """The time of an answer, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
