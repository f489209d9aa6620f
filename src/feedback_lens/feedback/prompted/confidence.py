"""How sure a model was of a word of its reply, by the log-probabilities of the word's tokens."""

import math
import re

from feedback_lens.calls.request import Response

DIGITS = 4
Span = tuple[int, int]


def find_values(text: str, key: str) -> list[Span]:
    r"""Where the string values of a key stand in a JSON text, without their quotes, in order.

    In JSON, `"key":` cannot stand inside of a string: its quotes are `\"` there. A key that is
    itself written with escapes is not found.
    """
    pattern = re.compile(rf'"{re.escape(key)}"\s*:\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
    return [match.span(1) for match in pattern.finditer(text)]


def find_probability(response: Response, span: Span) -> float | None:
    """The probability of the tokens that overlap a piece of a reply, 0 to 1; null where unknown.

    A token that holds a quotation mark beside the piece counts as a whole: the model chose it so.
    """
    tokens = response.logprobs
    if tokens is None or "".join(token for token, _ in tokens) != response.text:
        return None
    position, total = 0, 0.0
    for token, logprob in tokens:
        start, position = position, position + len(token)
        if start < span[1] and position > span[0]:
            total += logprob
    return None if math.isnan(total) else round(math.exp(min(total, 0.0)), DIGITS)
