"""Judges of benchmark answers: a language model, and a deterministic one for where there is none.

Source: paper section 7.2.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.benchmarks.prompted import read_rating, request_judgment
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.policy import AskPolicy, count_calls
from feedback_lens.calls.request import Response
from feedback_lens.errors import InputError
from feedback_lens.prompts import read_prompt

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
_WORD = re.compile(r"\w+")

Answer = Mapping[str, Any]
Verdict = tuple[float | None, str, str | None]
Called = tuple[str | None, dict[str, int]]  # the model that was asked, and the tally of the calls


def judge_answers(
    answers: Sequence[Answer],
    questions: Sequence[Question],
    judge: str,
    template: Path,
    policy: AskPolicy,
    structured: bool,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Judge answers (rows of `ANSWERS` with base, corpus, recipe, seed).

    Returns rows of `JUDGMENTS` and their counts by outcome. `judge` is `reference` (deterministic
    word overlap with the reference answer) or `llm`. A verdict that cannot be read has a null
    score and the outcome `unreadable`.

    Raises:
        InputError: the judge is unknown, its model cannot answer, or an answer has no question.
    """
    known = {question.question_id: question for question in questions}
    unknown = {answer["question_id"] for answer in answers} - known.keys()
    if unknown:
        raise InputError(f"answers to questions that the benchmark lacks: {sorted(unknown)[0]}")
    called: Called = None, {}
    if judge == "reference":
        verdicts = [judge_by_reference(answer, known[answer["question_id"]]) for answer in answers]
    elif judge == "llm":
        verdicts, called = _judge_by_model(answers, known, template, policy, structured)
    else:
        raise InputError(f"run.judging.judges: {judge!r} is unknown; reference and llm are known")
    rows = [
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
    model, tally = called
    return rows, count_calls(model, rows, tally)


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


def _judge_by_model(
    answers: Sequence[Answer],
    questions: Mapping[str, Question],
    template: Path,
    policy: AskPolicy,
    structured: bool,
) -> tuple[list[Verdict], Called]:
    assistant = open_assistant("judge", policy.model, policy.source)
    prompt = read_prompt(template, {"dialogue"})
    requests = [
        request_judgment(
            questions[answer["question_id"]],
            so_far,
            prompt,
            assistant.model,
            policy.sampling,
            structured,
        )
        for answer, so_far in zip(answers, _list_answers_so_far(answers), strict=True)
    ]
    responses = assistant.ask(
        requests,
        lambda index, response: read_rating(response.text or "", structured) is not None,
        policy.reasks,
    )
    verdicts = [_read_verdict(response, structured) for response in responses]
    return verdicts, (assistant.model, assistant.tally())


def _list_answers_so_far(answers: Sequence[Answer]) -> list[list[str | None]]:
    """For each answer, the same model's answers to the same question up to it."""
    texts = {(*_model_key(a), a["question_id"], a["turn"]): a["answer"] for a in answers}
    return [
        [texts[*_model_key(a), a["question_id"], turn] for turn in range(1, a["turn"] + 1)]
        for a in answers
    ]


def _model_key(answer: Answer) -> tuple[Any, ...]:
    return answer["base"], answer["corpus"], answer["recipe"], answer["seed"]


def _read_verdict(response: Response, structured: bool) -> Verdict:
    if response.outcome != "answered":
        return None, response.outcome, response.text
    score = read_rating(response.text or "", structured)
    return score, "answered" if score is not None else "unreadable", response.text
