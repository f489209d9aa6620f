"""The tokens of a reply with their log-probabilities, as OpenAI's server writes them."""

import re
from typing import Any

# a word with the blank before it, or a sign
_TOKEN = re.compile(r" ?[A-Za-z0-9_]+|.", re.DOTALL)
# log-probability of each byte: a token of n bytes has -n / 10, wherever tokens end
A_BYTE = -0.1


def score(text: str) -> list[dict[str, Any]]:
    """`choices[0].logprobs.content` for a text; a sign beyond ASCII is two tokens of some bytes."""
    pieces = [piece.encode("utf-8", "replace") for piece in _TOKEN.findall(text)]
    halves = [half for piece in pieces for half in _cut(piece)]
    return [
        {
            "token": _write(half),
            "logprob": round(A_BYTE * len(half), 1),
            "bytes": list(half),
            "top_logprobs": [],
        }
        for half in halves
    ]


def _cut(piece: bytes) -> list[bytes]:
    return [piece] if piece.isascii() else [piece[:1], piece[1:]]


def _write(half: bytes) -> str:
    if half.isascii():
        return half.decode("ascii")
    return "".join(f"\\x{byte:02x}" for byte in half)
