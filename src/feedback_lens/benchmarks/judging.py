"""Judges of benchmark answers: a language model, and a deterministic one for where there is none.

Source: paper section 7.2; MT-Bench's single-answer rating (Zheng et al. 2023); WildBench's score
with a checklist (Lin et al. 2024). The prompts are in our own words.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.benchmarks.questions import REFERENCED, Question
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.errors import InputError
from feedback_lens.prompts import fence, read_prompt, render

JUDGMENTS = pa.schema(
    [
        ("base", pa.string()),
        ("corpus", pa.string()),
        ("recipe", pa.string()),
        ("seed", pa.int32()),
        ("question_id", pa.string()),
        ("category", pa.string()),
        ("turn", pa.int32()),
        ("score", pa.float64()),
        ("outcome", pa.string()),
        ("judgment", pa.string()),
    ]
)
_RATING = re.compile(r"\[\[(\d+\.?\d*)\]\]")
_WORD = re.compile(r"\w+")

Answer = Mapping[str, Any]
Verdict = tuple[float | None, str, str | None]


def judge_answers(
    answers: Sequence[Answer],
    questions: Sequence[Question],
    judge: str,
    template: Path,
    model: str,
    source: Path,
    sampling: Sampling,
) -> list[dict[str, Any]]:
    """Judge answers (rows of `ANSWERS` with base, corpus, recipe, seed) as rows of `JUDGMENTS`.

    `judge` is `reference` (deterministic word overlap with the reference answer) or `llm`. A
    verdict that cannot be read has a null score and the outcome `unreadable`.

    Raises:
        InputError: the judge is unknown, its model cannot answer, or an answer has no question.
    """
    known = {question.question_id: question for question in questions}
    unknown = {answer["question_id"] for answer in answers} - known.keys()
    if unknown:
        raise InputError(f"answers to questions that the benchmark lacks: {sorted(unknown)[0]}")
    if judge == "reference":
        verdicts = [judge_by_reference(answer, known[answer["question_id"]]) for answer in answers]
    elif judge == "llm":
        verdicts = _judge_by_model(answers, known, template, model, source, sampling)
    else:
        raise InputError(f"run.judging.judges: {judge!r} is unknown; reference and llm are known")
    return [
        {
            **{name: answer[name] for name in ("base", "corpus", "recipe", "seed")},
            "question_id": answer["question_id"],
            "category": known[answer["question_id"]].category,
            "turn": answer["turn"],
            "score": score,
            "outcome": outcome,
            "judgment": judgment,
        }
        for answer, (score, outcome, judgment) in zip(answers, verdicts, strict=True)
    ]


def judge_by_reference(answer: Answer, question: Question) -> Verdict:
    """1 + 9 * F1 of the words shared with the reference answer: a stand-in, no judge of quality.

    An answer without text, or to a question without a reference, stays unscored.
    """
    if len(question.references) < answer["turn"] or answer["answer"] is None:
        return None, "unreadable", "no reference answer, or no answer"
    found = Counter(_WORD.findall(answer["answer"].lower()))
    wanted = Counter(_WORD.findall(question.references[answer["turn"] - 1].lower()))
    shared, total = (found & wanted).total(), found.total() + wanted.total()
    f1 = 2 * shared / total if total else 0.0
    return round(1 + 9 * f1, 4), "answered", f"word F1 with the reference answer {f1:.4f}"


def read_rating(text: str) -> float | None:
    """The last `[[x]]` of a judgment; None without one, or where it is outside 1..10.

    The prompts ask for the rating last: an earlier one may be quoted from the judged answer.
    FastChat (llm_judge/common.py) takes the first, and a single `[x]` where there is none.
    """
    found = _RATING.findall(text)
    rating = float(found[-1]) if found else None
    return rating if rating is not None and 1 <= rating <= 10 else None


def _judge_by_model(
    answers: Sequence[Answer],
    questions: Mapping[str, Question],
    template: Path,
    model: str,
    source: Path,
    sampling: Sampling,
) -> list[Verdict]:
    assistant = open_assistant("judge", model, source)
    prompt = read_prompt(template, {"dialogue"})
    earlier = {(*_model_key(a), a["question_id"], a["turn"]): a["answer"] for a in answers}
    requests: list[Request] = []
    for answer in answers:
        question = questions[answer["question_id"]]
        own = [
            earlier[(*_model_key(answer), answer["question_id"], t)]
            for t in range(1, answer["turn"])
        ]
        dialogue = build_dialogue(question, [*own, answer["answer"]])
        text = render(prompt, {"dialogue": fence(dialogue)})
        requests.append(ask_user(assistant.model, text, sampling))
    return [_read_verdict(response) for response in assistant.ask(requests)]


def build_dialogue(question: Question, answers: Sequence[str | None]) -> dict[str, Any]:
    """What the judge sees of one answer, the last of `answers`, which answer the first turns.

    The reference stands in it for math, reasoning and coding, the checklist where there is one.
    """
    messages = list(question.history)
    for asked, answered in zip(question.turns, answers, strict=False):
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": answered or ""})
    dialogue: dict[str, Any] = {"messages": messages}
    if question.category in REFERENCED:
        dialogue["references"] = list(question.references[: len(answers)])
    if question.checklist:
        dialogue["checklist"] = list(question.checklist)
    return dialogue


def _model_key(answer: Answer) -> tuple[Any, ...]:
    return answer["base"], answer["corpus"], answer["recipe"], answer["seed"]


def _read_verdict(response: Response) -> Verdict:
    if response.outcome != "answered":
        return None, response.outcome, response.text
    score = read_rating(response.text or "")
    return score, "answered" if score is not None else "unreadable", response.text
