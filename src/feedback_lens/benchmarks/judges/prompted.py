"""The prompted judge: a question and its answers in, a rating from 1 to 10.

Source: paper section 7.2; MT-Bench's single-answer rating (Zheng et al. 2023); WildBench's score
with a checklist (Lin et al. 2024). The prompts are in our own words.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Sampling, ask_user
from feedback_lens.prompts import fence, render
from feedback_lens.replies import object_format, opens_quotation, read_object, verdict_line

JUDGMENT_FORMAT: Final = object_format(
    "judgment",
    {
        "judgment": {"type": "string"},
        "rating": {"type": "integer", "enum": list(range(1, 11))},
    },
)
# ASCII digits alone: \d and int() take those of every script
_RATING = re.compile(r"\[\[(10(?:\.0*)?|[1-9](?:\.[0-9]*)?)\]\]")


def request_judgment(
    question: Question,
    answers: Sequence[str | None],
    model: str,
    sampling: Sampling,
    template: str,
    structured: bool,
) -> Request:
    """The request that asks for a rating of the last of `answers`."""
    prompt = render(template, {"dialogue": fence(build_dialogue(question, answers))})
    return ask_user(model, prompt, sampling, JUDGMENT_FORMAT if structured else None)


def build_dialogue(question: Question, answers: Sequence[str | None]) -> dict[str, Any]:
    """What the judge sees of one answer, the last of `answers`, which answer the first turns.

    The reference stands in it for math, reasoning and coding, the checklist where there is one.
    """
    dialogue: dict[str, Any] = {"messages": question.list_messages(answers)}
    if question.is_referenced:
        dialogue["references"] = list(question.references[: len(answers)])
    if question.checklist:
        dialogue["checklist"] = list(question.checklist)
    return dialogue


def read_rating(text: str, structured: bool) -> float | None:
    """The rating, 1 to 10, of a judgment; None where it is unreadable.

    `structured`: that of the JSON object. Otherwise the last line must end in `[[x]]`, with at
    most Markdown and a period behind it, and hold no other `[[`: a rating before it on that line,
    or on a line above, may be quoted from the judged answer. So may one with a quotation mark or
    backtick behind it, or behind one that was not closed, or on a line that starts with `>`.

    Source: FastChat (llm_judge/common.py) takes the first `[[x]]` anywhere, else a `[x]`. Of 480
    published gpt-4 judgments this rule reads 477, with the published rating; three end in
    `"Rating: [[x]]".`, as a quotation of the judged answer could.
    """
    if structured:
        content = read_object(text, {"judgment", "rating"}) or {}
        rating = content.get("rating")
        return float(rating) if type(rating) is int and 1 <= rating <= 10 else None
    before, brackets, rest = verdict_line(text).partition("[[")
    found = _RATING.fullmatch(brackets + rest)
    return float(found[1]) if found and not opens_quotation(before) else None
