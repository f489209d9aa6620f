"""The suite of hostile texts: what users and models may write to sway a labeler, judge or rater."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError

_TYPES = {"id": str, "family": str, "text": str, "repeat": int, "answers": list}


@dataclass(frozen=True)
class Injection:
    """A hostile text.

    `answers` names the uses (such as `label`) to which the text alone is a whole JSON answer in
    the form asked for, so that a reply of just this text is the model's own.
    """

    id: str
    family: str
    text: str
    answers: tuple[str, ...]


def read_injections(path: Path) -> list[Injection]:
    """The injections of a JSONL file; a line's text is repeated `repeat` times.

    Raises:
        InputError: the file cannot be read, is empty, or a line is no injection; it is named.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    injections = [
        _parse_line(line, f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    twice = [name for name, count in Counter(found.id for found in injections).items() if count > 1]
    if twice or not injections:
        fault = f"the id {twice[0]!r} stands twice" if twice else "there are no injections"
        raise InputError(f"{path}: {fault}")
    return injections


def _parse_line(line: bytes, where: str) -> Injection:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error})") from None
    if not isinstance(row, dict) or row.keys() != _TYPES.keys():
        raise InputError(f"{where}: an object with exactly {', '.join(_TYPES)} is wanted")
    for name, kind in _TYPES.items():
        if not isinstance(row[name], kind):
            raise InputError(f"{where}: {name} is {row[name]!r}; {kind.__name__} is wanted")
    text = row["text"] * row["repeat"]
    return Injection(row["id"], row["family"], text, tuple(row["answers"]))
