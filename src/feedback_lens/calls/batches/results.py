"""The lines of a batch's output and error files: answers, errors, and what is neither."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from feedback_lens.calls.completion import count_cached_tokens
from feedback_lens.calls.problem import Problem, parse, read_problem, read_words, scrub
from feedback_lens.calls.reply import read_reply
from feedback_lens.calls.request import Response

# lines of a file that are taken together
PIECE = 500
# of a custom_id that is shown; ours has 64 characters
LONGEST_ID = 80


@dataclass(frozen=True)
class Result:
    """What one line says of a request: `response`, or the problem that it met instead."""

    key: str
    response: Response | None = None
    cached_tokens: int = 0
    problem: Problem | None = None


class Flaws:
    """Lines that say nothing of a request that was asked: how many of each kind, and the first."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def note(self, kind: str, example: str) -> None:
        """Count a line."""
        self._counts[kind] += 1
        self._first.setdefault(kind, example)

    def describe(self) -> list[str]:
        """A few words for each kind."""
        return [
            f"{count} lines {kind} (such as {self._first[kind]})"
            for kind, count in sorted(self._counts.items())
        ]


def read_results(file: IO[bytes], flaws: Flaws, key: str) -> Iterator[list[Result]]:
    """The results in a file, some hundred at a time; `key` is the API key, to be kept out.

    Of answers with the same `custom_id`, the first counts.
    """
    answered: set[str] = set()
    piece: list[Result] = []
    # lines end at \n alone: users' text may hold any other line separator
    for number, line in enumerate(file, start=1):
        result = _read_line(line, key) if line.strip() else None
        if result is None:
            if line.strip():
                flaws.note("cannot be read", f"line {number}")
        elif result.key in answered:
            flaws.note("answer a request a second time", _show(result.key))
        else:
            piece.append(result)
            if result.response:
                answered.add(result.key)
        if len(piece) == PIECE:
            yield piece
            piece = []
    yield piece


def note_unknown(results: Iterable[Result], known: Iterable[str], flaws: Flaws) -> None:
    """Count results for requests that the batch did not hold."""
    known = frozenset(known)
    for result in results:
        if result.key not in known:
            flaws.note("are about a request that nobody asked", _show(result.key))


def _read_line(line: bytes, api_key: str) -> Result | None:
    content = parse(line)
    key = content.get("custom_id") if isinstance(content, dict) else None
    if not isinstance(key, str):
        return None
    reply = content.get("response")
    if not isinstance(reply, dict):
        words = read_words(500, content, b"neither response nor error", api_key)
        return Result(key, problem=read_problem(500, {}, content, words.partition(": ")[2]))
    status, body = reply.get("status_code", 200), reply.get("body")
    if not isinstance(status, int):
        return None
    found = read_reply(status, {}, body, json.dumps(body).encode("ascii"), api_key)
    if isinstance(found, Problem):
        return Result(key, problem=found)
    return Result(key, found, count_cached_tokens(body))


def _show(key: str) -> str:
    return repr(scrub(key[:LONGEST_ID], ""))
