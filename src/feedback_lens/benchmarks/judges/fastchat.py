"""FastChat's judge: its own prompts, verbatim from its own file, and its own way to read a rating.

Nothing in these prompts fences the judged answer: end markers and ratings in it reach the judge as
they are, and a rating that the judge quotes before its own is read for its own. That is how the
published scores were made; the method `rating` is the safe one.

Source: FastChat llm_judge/common.py (run_judge_single) and gen_judgment.py, at commit 0e6d3e4.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from feedback_lens.benchmarks.question_rows import check_text, read_lines
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Sampling
from feedback_lens.errors import InputError

NAMES = ("single-v1", "single-math-v1", "single-v1-multi-turn", "single-math-v1-multi-turn")
_PLACES = (
    *("question", "answer", "question_1", "answer_1", "ref_answer_1"),
    *("question_2", "answer_2", "ref_answer_2"),
)
_DOUBLE = re.compile(r"\[\[([0-9]+\.?[0-9]*)\]\]")
_SINGLE = re.compile(r"\[([0-9]+\.?[0-9]*)\]")


@dataclass(frozen=True)
class JudgePrompt:
    """A prompt of judge_prompts.jsonl: its system message, and the user's message with places."""

    system: str
    template: str


def read_judge_prompts(path: Path) -> dict[str, JudgePrompt]:
    """The prompts for the rating of single answers in a judge_prompts.jsonl, by name.

    Raises:
        InputError: the file cannot be read, lacks one of them, or one has a place that is unknown.
    """
    return read_prompts(path, dict.fromkeys(NAMES, _PLACES))


def read_prompts(path: Path, places: Mapping[str, Sequence[str]]) -> dict[str, JudgePrompt]:
    """The prompts of a judge_prompts.jsonl that `places` names, each with the places it may have.

    Raises:
        InputError: the file cannot be read, a line is no prompt, or a prompt is missing or has a
            place that is unknown.
    """
    prompts = _read_all_prompts(path)
    for name, known in places.items():
        if name not in prompts:
            raise InputError(f"{path}: the prompt {name!r} is missing; is it FastChat's own file?")
        _check_places(prompts[name], known, f"{path}: the prompt {name!r}")
    return {name: prompts[name] for name in places}


def _read_all_prompts(path: Path) -> dict[str, JudgePrompt]:
    fields = dict.fromkeys(("name", "system_prompt", "prompt_template"), check_text)
    try:
        rows = read_lines(path, fields, {})
    except InputError as error:
        raise InputError(
            f"{error.message}; the method fastchat takes FastChat's judge_prompts.jsonl "
            "(docs/judging.md)"
        ) from None
    return {
        row["name"]: JudgePrompt(row["system_prompt"], row["prompt_template"]) for _, row in rows
    }


def request_rating(
    question: Question,
    answers: Sequence[str | None],
    model: str,
    sampling: Sampling,
    prompts: Mapping[str, JudgePrompt],
) -> Request:
    """The request that asks for a rating of the last of `answers`, the first or second turn's."""
    prompt = prompts[choose_prompt(question, len(answers))]
    filled = prompt.template.format(**_fill_places(question, answers))
    messages = ({"role": "system", "content": prompt.system}, {"role": "user", "content": filled})
    return Request(model, messages, sampling)


def choose_prompt(question: Question, turn: int) -> str:
    """The name of the prompt that judges a question's first or second turn."""
    kind = "single-math-v1" if question.is_referenced else "single-v1"
    return kind if turn == 1 else f"{kind}-multi-turn"


def describe_task(question: Question) -> str:
    """The first turn; where messages stand before it, these and the turn as one dialogue.

    MT-Bench's questions have none. For WildBench's, which the paper rates by MT-Bench's prompt
    without saying how, the headings are those of FastChat's prompts for two turns.
    """
    if not question.history:
        return question.turns[0]
    said = [*question.history, {"role": "user", "content": question.turns[0]}]
    return "\n\n".join(f"### {m['role'].capitalize()}:\n{m['content']}" for m in said)


def find_fault(question: Question) -> str | None:
    """Why these prompts cannot judge a question; None where they can."""
    if len(question.turns) > 2:
        return f"has {len(question.turns)} turns, where FastChat's prompts take one or two"
    if question.is_referenced and len(question.references) < len(question.turns):
        return (
            "lacks the reference answer that FastChat's prompt shows for its category "
            "(reference.jsonl; docs/judging.md)"
        )
    return None


def read_rating(text: str) -> float | None:
    """The first `[[x]]` of a judgment, else its first `[x]`; None for none and outside 1 to 10.

    FastChat itself takes any number: a 0 or a 100 would stand in its means.
    """
    found = _DOUBLE.search(text) or _SINGLE.search(text)
    rating = float(found[1]) if found else 0.0
    return rating if 1 <= rating <= 10 else None


def _fill_places(question: Question, answers: Sequence[str | None]) -> dict[str, str]:
    values = {"question": describe_task(question), "answer": answers[0] or ""}
    asked = (values["question"], *question.turns[1:])
    for number, (turn, answer) in enumerate(zip(asked, answers, strict=False), start=1):
        values |= {f"question_{number}": turn, f"answer_{number}": answer or ""}
    for number, reference in enumerate(question.references, start=1):
        values[f"ref_answer_{number}"] = reference
    return values


def _check_places(prompt: JudgePrompt, places: Sequence[str], where: str) -> None:
    try:
        prompt.template.format(**dict.fromkeys(places, ""))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{where} has a place that is unknown ({error})") from None
