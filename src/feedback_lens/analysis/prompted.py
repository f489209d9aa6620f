"""The prompted rater: a user's prompt in, the criteria it meets and its complexity.

Source: paper section 4; Li et al. 2024 (BenchBuilder); Wang et al. 2024 (HelpSteer2). The prompts
are in our own words.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.calls.request import Request, Sampling, ask_user
from feedback_lens.prompts import fence, render
from feedback_lens.replies import object_format, read_object, verdict_line

_NUMBERS = range(1, len(CRITERIA) + 1)
QUALITY_FORMAT: Final = object_format(
    "quality",
    {"criteria": {"type": "array", "items": {"type": "integer", "enum": list(_NUMBERS)}}},
)
COMPLEXITY_FORMAT: Final = object_format(
    "complexity", {"difficulty": {"type": "integer", "enum": list(range(1, 6))}}
)
# ASCII digits alone: \d and int() take those of every script
_LIST = re.compile(r"\[[0-9, \t]*\]")
_GRADE = re.compile(r"\[\[([1-5])\]\]")


def request_rating(
    text: str,
    template: str,
    model: str,
    sampling: Sampling,
    response_format: Mapping[str, Any] | None,
) -> Request:
    """The request that asks for a rating of one prompt, by the template's scale."""
    return ask_user(model, render(template, {"prompt": fence(text)}), sampling, response_format)


def read_criteria(text: str, structured: bool) -> set[int] | None:
    """The criteria met (1 to 7): the JSON object's, or the list that is the reply's last line.

    Markdown and a period around the list are no part of it, quotation marks are. An empty list
    means that none is met; None stands for a reply that is unreadable.
    """
    if structured:
        met = (read_object(text, {"criteria"}) or {}).get("criteria")
    else:
        met = _read_list(verdict_line(text))
    if not isinstance(met, list) or not all(type(number) is int for number in met):
        return None
    return set(met) if set(met) <= set(_NUMBERS) else None


def read_difficulty(text: str, structured: bool) -> int | None:
    """The grade 1 to 5: the JSON object's, or the `[[x]]` that is the reply's last line.

    Markdown and a period around it are no part of it, quotation marks are. None stands for a
    reply that is unreadable.
    """
    if structured:
        grade = (read_object(text, {"difficulty"}) or {}).get("difficulty")
        return grade if type(grade) is int and 1 <= grade <= 5 else None
    found = _GRADE.fullmatch(verdict_line(text))
    return int(found[1]) if found else None


def _read_list(line: str) -> Any:
    try:
        return json.loads(line) if _LIST.fullmatch(line) else None
    except ValueError:  # such as [1,,3]
        return None
