"""Log-probabilities of a reply's tokens: read from what a server sent, kept as JSON text.

They are taken only where the tokens' texts, one after the other, are the text of the reply, so that
who walks through them by characters stands where the reply does. A character whose bytes several
tokens share is the text of the last of them; those before it have an empty text.
"""

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from feedback_lens.calls.request import Logprobs

# OpenAI's for a token that was next to impossible; ours for minus infinity, which JSON lacks
LEAST = -9999.0
# above 0 by more than arithmetic in half precision explains, it is no logarithm of a probability
SLACK = 1e-3
# a millionth of a probability is more than anyone reads out of it
DECIMALS = 6


def read_logprobs(content: Any, text: str | None) -> Logprobs | None:
    """The tokens of `choices[0].logprobs.content` that spell a reply's text; None where none do.

    Tokens are read as their `token` says or, where these do not spell the text, their `bytes`. What
    stands before and behind the text (a reasoning that the server took out, an end token) is left
    out. One value that is no log-probability makes all of them unknown.
    """
    if text is None or not isinstance(content, list):
        return None
    try:
        values = [_read_value(entry["logprob"]) for entry in content]
        for read in (_read_token, _read_bytes):
            found = fit_tokens(_decode(map(read, content)), values, text)
            if found is not None:
                return found
    except (KeyError, TypeError, ValueError):
        pass
    return None


def fit_tokens(tokens: Sequence[str], values: Sequence[float], text: str) -> Logprobs | None:
    """The tokens with their values, cut to those that spell `text`; None where it is not certain.

    It is where the text ends the joined tokens, or stands in them only once: a reasoning may draft
    the very words of the reply that follows it.
    """
    if not text:
        return ()
    joined = "".join(tokens)
    start = joined.rfind(text)
    if start < 0 or not (joined.endswith(text) or joined.find(text) == start):
        return None
    end, at, kept = start + len(text), 0, []
    for token, value in zip(tokens, values, strict=True):
        inside = token[max(0, start - at) : max(0, end - at)]
        # a part of a character, before the token that ends it
        if inside or (not token and start <= at < end):
            kept.append((inside, value))
        at += len(token)
    return tuple(kept)


def round_logprob(value: float) -> float:
    """A log-probability as it is kept: from -9999 to 0, six decimals."""
    # 0.0 in place of -0.0
    return round(float(min(max(value, LEAST), 0)), DECIMALS) + 0.0


def dump_logprobs(logprobs: Logprobs | None) -> str | None:
    """The JSON text that keeps them: `[["token",-0.01],...]`."""
    if logprobs is None:
        return None
    return json.dumps(logprobs, ensure_ascii=False, separators=(",", ":"))


def load_logprobs(kept: Any, text: Any) -> Logprobs | None:
    """What `dump_logprobs` kept beside this text; None for null, and for what cannot be right."""
    if not isinstance(kept, str) or not isinstance(text, str):
        return None
    try:
        pairs = [(token, _read_value(value)) for token, value in json.loads(kept)]
        joined = "".join(token for token, _ in pairs)
    except (TypeError, ValueError, RecursionError):
        return None
    return tuple(pairs) if joined == text else None


def find_logprobs_fault(kept: Any, text: Any) -> str | None:
    """What is wrong with what is kept beside a text; None for null."""
    if kept is None or load_logprobs(kept, text) is not None:
        return None
    return "its log-probabilities are not those of its text"


def _read_value(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # a comparison with NaN is false
    if not is_number or not value <= SLACK:
        raise ValueError(f"{value!r} is no log-probability")
    return round_logprob(value)


def _read_token(entry: Mapping[str, Any]) -> bytes:
    token = entry["token"]
    if not isinstance(token, str):
        raise ValueError(f"{token!r} is no token")
    # as the reply's text is cleaned
    return token.encode("utf-8", "replace")


def _read_bytes(entry: Mapping[str, Any]) -> bytes:
    numbers = entry.get("bytes")
    return bytes(numbers) if isinstance(numbers, list) else _read_token(entry)


def _decode(pieces: Iterable[bytes]) -> list[str]:
    """The texts of pieces of UTF-8; a character stands with the piece that ends it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    texts = [decoder.decode(piece) for piece in pieces]
    return [*texts[:-1], texts[-1] + decoder.decode(b"", final=True)] if texts else []
