"""Replies: the form that a model is asked for, and a verdict read at its own place alone.

A model may quote the text that it judges, and that text may hold a verdict of its own. So only
what stands where the prompt wants the verdict is read: the reply's last line, or the one JSON
object that the whole reply is. A model that quotes there too, or before the object, is unreadable.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

_DECORATION = "*_. \t"
_OPENING = "\u2018\u201a\u201b\u201c\u201e\u201f\xab\u2039\u300c\u300e\u301d"


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with exactly these properties, by name and schema."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def object_format(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The `response_format` of a request whose reply is one object with exactly these properties.

    Source: the API's structured outputs, with `strict`.
    """
    schema = {"name": name, "strict": True, "schema": object_schema(properties)}
    return {"type": "json_schema", "json_schema": schema}


def read_object(text: str, keys: set[str]) -> dict[str, Any] | None:
    """The one JSON object with exactly these keys that a reply is, in a code fence or without.

    None for anything else: words around it, another object behind it, a key that stands twice at
    any level (text quoted without escapes could have added it), NaN.
    """
    try:
        content = json.loads(
            _open_code_fence(text.strip()), object_pairs_hook=_take_pairs, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.keys() == keys else None


def verdict_line(text: str) -> str:
    """A reply's last line that is not blank, without blanks, Markdown's `*` and `_` and periods.

    These say nothing of whose words the line is. Quotation marks, backticks and `>` do, and stay:
    a verdict in them may be quoted from the judged text.
    """
    return text.strip().rpartition("\n")[2].strip().strip(_DECORATION)


def opens_quotation(text: str) -> bool:
    """Whether what stands behind this beginning of a line is, or may be, quoted."""
    if text.startswith(">") or any(sign in text for sign in _OPENING):
        return True
    return text.count('"') % 2 == 1 or text.count("`") % 2 == 1


def _open_code_fence(text: str) -> str:
    if len(text) >= 6 and text.startswith("```") and text.endswith("```"):
        return text[3:-3].removeprefix("json")
    return text


def _take_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
