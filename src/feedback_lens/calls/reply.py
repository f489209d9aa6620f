"""What a server's reply to one request holds, whether it came alone or as a line of a batch."""

from collections.abc import Mapping
from typing import Any

from feedback_lens.calls.completion import CompletionError, read_completion, read_error
from feedback_lens.calls.problem import Problem, hide_key, read_problem, read_words
from feedback_lens.calls.request import Response


def read_reply(
    status: int, headers: Mapping[str, str], content: Any, raw: bytes, key: str
) -> Response | Problem:
    """The response, or the problem where the reply is none.

    `content` is the JSON of the body `raw`, None where it is none; the `key` is taken out of all
    that is kept or shown.
    """
    if status >= 300:
        words = read_words(status, content, raw, key)
        return read_error(status, content, words) or read_problem(status, headers, content, words)
    try:
        return hide_key(read_completion(content), key)
    except CompletionError as error:
        return Problem(f"{error} ({read_words(status, content, raw, key)})")
