"""Lines of a benchmark's JSONL files, each field checked where the line is read."""

import json
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError

# takes a field's value and its place, `<file>:<line>: <field>`
Check = Callable[[Any, str], None]


def read_unique(
    path: Path, fields: Mapping[str, Check], optional: Mapping[str, Check]
) -> list[tuple[str, dict[str, Any]]]:
    """The lines of a file of questions, whose id, the first of `fields`, is no other's.

    Raises:
        InputError: as `read_lines`; or two lines have one id, or there is no line.
    """
    rows = read_lines(path, fields, optional)
    if not rows:
        raise InputError(f"{path}: holds no question")
    places: dict[str, str] = {}
    key = next(iter(fields))
    for where, row in rows:
        name = str(row[key])
        if name in places:
            raise InputError(
                f"{where}: {key} {name!r} stands at {places[name]}, too; remove one, or give "
                "it an id of its own"
            )
        places[name] = where
    return rows


def read_lines(
    path: Path, fields: Mapping[str, Check], optional: Mapping[str, Check]
) -> list[tuple[str, dict[str, Any]]]:
    """The objects of a JSONL file, blank lines left out, each behind its `<file>:<line>`.

    A field of `optional` may be missing or null.

    Raises:
        InputError: the file cannot be read, or a line is no object, or lacks a field or has one of
            another form; it is named, with what was found.
    """
    rows = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    where = f"{path}:{number}"
                    row = _parse_line(line, where)
                    _check_fields(row, fields, optional, where)
                    rows.append((where, row))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return rows


def check_id(value: Any, place: str) -> None:
    """Refuse what is neither a text nor a whole number."""
    _require(isinstance(value, str | int) and not isinstance(value, bool), "an id", value, place)


def check_text(value: Any, place: str) -> None:
    """Refuse what is no text."""
    _require(isinstance(value, str), "a text", value, place)


def check_texts(value: Any, place: str) -> None:
    """Refuse what is no list of texts; it may be empty."""
    _require(isinstance(value, list), "a list of texts", value, place)
    for number, item in enumerate(value):
        check_text(item, f"{place}[{number}]")


def check_turns(value: Any, place: str) -> None:
    """Refuse what is no list of one text or more."""
    _require(isinstance(value, list) and value, "a list of one text or more", value, place)
    check_texts(value, place)


def check_choices(value: Any, place: str) -> None:
    """Refuse what is no list of answers as FastChat writes them: the first one's `turns` count."""
    wanted = 'a list of one object or more with "turns"'
    _require(isinstance(value, list) and value, wanted, value, place)
    first = value[0]
    _require(isinstance(first, dict) and "turns" in first, wanted, value, place)
    check_texts(first["turns"], f"{place}[0].turns")


def check_messages(value: Any, place: str) -> None:
    """Refuse what is no list of objects with the texts `role` and `content`."""
    _require(isinstance(value, list), "a list of messages", value, place)
    for number, message in enumerate(value):
        at = f"{place}[{number}]"
        wanted = 'a message with "role" and "content"'
        _require(
            isinstance(message, dict) and {"role", "content"} <= {*message}, wanted, message, at
        )
        check_text(message["role"], f"{at}.role")
        check_text(message["content"], f"{at}.content")


def check_references(value: Any, place: str) -> None:
    """Refuse what is no object of models and their texts; a text may be null."""
    _require(isinstance(value, dict), "an object of models and their answers", value, place)
    for model, text in value.items():
        _require(text is None or isinstance(text, str), "a text or null", text, f"{place}.{model}")


def _require(fits: Any, wanted: str, found: Any, place: str) -> None:
    if not fits:
        raise InputError(f"{place}: {wanted} is wanted, found {reprlib.repr(found)}")


def _parse_line(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error})") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: a JSON object is wanted, found {type(row).__name__}")
    return row


def _check_fields(
    row: Mapping[str, Any], fields: Mapping[str, Check], optional: Mapping[str, Check], where: str
) -> None:
    missing = [field for field in fields if field not in row]
    if missing:
        raise InputError(f"{where}: the field {missing[0]!r} is missing")
    given = {field: check for field, check in optional.items() if row.get(field) is not None}
    for field, check in {**fields, **given}.items():
        check(row[field], f"{where}: {field}")
