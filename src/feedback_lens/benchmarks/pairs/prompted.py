"""The prompted judge of two answers, in our words: a question and both sides in, a verdict out."""

import re
from typing import Any, Final

from feedback_lens.benchmarks.pairs.pairing import POINTS, Answers, Sides
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Sampling, ask_user
from feedback_lens.prompts import fence, render
from feedback_lens.replies import object_format, opens_quotation, read_object, verdict_line

# what the letter of a verdict gives assistant A
LETTERS: Final = {"A": POINTS["win"], "B": POINTS["loss"], "C": POINTS["tie"]}
COMPARISON_FORMAT: Final = object_format(
    "comparison",
    {"judgment": {"type": "string"}, "verdict": {"type": "string", "enum": list(LETTERS)}},
)
_VERDICT = re.compile(r"\[\[([ABC])\]\]")


def request_comparison(
    question: Question,
    sides: Sides,
    model: str,
    sampling: Sampling,
    template: str,
    structured: bool,
) -> Request:
    """The request that asks which of two sides is better in the last turn that they answer."""
    prompt = render(template, {"dialogues": fence(build_dialogues(question, *sides))})
    return ask_user(model, prompt, sampling, COMPARISON_FORMAT if structured else None)


def build_dialogues(question: Question, a: Answers, b: Answers) -> dict[str, Any]:
    """What the judge sees: the history, and each turn with both answers; one without text is empty.

    References stand in it for math, reasoning and coding, the checklist where there is one.
    """
    turns = zip(question.turns, a, b, strict=False)
    dialogues: dict[str, Any] = {
        "history": list(question.history),
        "turns": [
            {"user": asked, "A": first or "", "B": second or ""} for asked, first, second in turns
        ],
    }
    if question.is_referenced:
        dialogues["references"] = list(question.references[: len(a)])
    if question.checklist:
        dialogues["checklist"] = list(question.checklist)
    return dialogues


def read_verdict(text: str, structured: bool) -> float | None:
    """What assistant A gets by a verdict: 1, 0, or 0.5 of a tie; None where it is unreadable.

    `structured`: that of the JSON object. Otherwise the last line must end in `[[A]]`, `[[B]]` or
    `[[C]]`, with at most Markdown and a period behind it, and hold no other `[[`; one that may be
    quoted from a judged answer is unreadable, as a rating is (prompted.read_rating).
    """
    if structured:
        letter = (read_object(text, {"judgment", "verdict"}) or {}).get("verdict")
        return LETTERS.get(letter) if isinstance(letter, str) else None
    before, brackets, rest = verdict_line(text).partition("[[")
    found = _VERDICT.fullmatch(brackets + rest)
    return LETTERS[found[1]] if found and not opens_quotation(before) else None
