"""WildBench's judge: its own score template, verbatim from its own file, and its own reading.

Nothing in the template fences the judged answer: markers and JSON in it reach the judge as they
are. That is how the published scores were made; the method `rating` is the safe one.

Source: WildBench src/eval.py and src/openai_batch_eval/batch_results_format.py, at commit d6b8dca.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Sampling, ask_user
from feedback_lens.errors import InputError

PLACES = ("history", "user_query", "model_output", "checklist")
JSON_OBJECT = {"type": "json_object"}
_PLACE = re.compile(r"\{\$(\w+)\}")
_SCORE = re.compile(r'"score"\s*:\s*"([^"]*)"')
# the number ends as a value does: it is not the 7 of 7/10
_UNQUOTED = re.compile(r'"score"\s*:\s*(-?[0-9]+(?:\.[0-9]+)?)\s*[,}]')
_FENCED = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)


def read_template(path: Path) -> str:
    """WildBench's template for the score of one answer.

    Raises:
        InputError: the file cannot be read, or its places are not those of the template.
    """
    try:
        template = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    odd = set(_PLACE.findall(template)) ^ set(PLACES)
    if odd:
        raise InputError(
            f"{path}: the place {{${min(odd)}}} is missing or unknown; the method wildbench takes "
            "WildBench's template for scores, with " + ", ".join(f"{{${name}}}" for name in PLACES)
        )
    return template


def request_score(
    question: Question,
    answers: Sequence[str | None],
    model: str,
    sampling: Sampling,
    template: str,
    structured: bool,
) -> Request:
    """The request that asks for the score of the last of `answers`.

    `structured` asks for a JSON object, as WildBench does. All places are filled in one pass, so
    that a place in a user's or model's words stays one; WildBench fills one after the other.
    """
    *before, asked, answered = question.list_messages(answers)
    values = {
        "history": "".join(_describe(message) for message in before),
        "user_query": asked["content"],
        "model_output": answered["content"],
        "checklist": "".join(f"- {item}\n" for item in question.checklist),
    }
    prompt = _PLACE.sub(lambda place: values[place[1]], template)
    return ask_user(model, prompt, sampling, JSON_OBJECT if structured else None)


def find_fault(question: Question) -> str | None:
    """Why the template cannot judge a question; None where it can."""
    return None if question.checklist else "has no checklist, which WildBench's template shows"


def read_score(text: str) -> float | None:
    """The `score` of the JSON object that a judgment is, else the first `"score": "x"` in it.

    The object may stand between code fences; x without quotes counts where none has quotes, as the
    template asks for. None where there is none, or outside 1 to 10. The published scores rest on
    whole objects alone: what was no JSON was dropped.
    """
    whole = text.strip()
    fenced = _FENCED.fullmatch(whole)
    try:
        content: Any = json.loads(fenced[1] if fenced else whole)
    except (ValueError, RecursionError):
        found = _SCORE.search(text) or _UNQUOTED.search(text)
        content = {"score": found[1]} if found else None
    score = content.get("score") if isinstance(content, Mapping) else None
    return _read_number(score)


def _read_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 1 <= number <= 10 else None


def _describe(message: Mapping[str, str]) -> str:
    if message["role"] not in ("user", "assistant"):
        return ""
    return f"{message['role'].upper()}: {message['content']}\n\n"
