"""What a judge is shown: each answer with its question and the model's answers before it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from feedback_lens.benchmarks.questions import Question
from feedback_lens.errors import InputError

AXES = ("base", "corpus", "recipe", "seed")

Answer = Mapping[str, Any]
Place = tuple[str, int]  # question and turn


@dataclass(frozen=True)
class Judged:
    """An answer to judge: a row of `ANSWERS` with its model's axes, and what it answers.

    `so_far` are the model's answers to the question's turns, this one the last; null without text.
    """

    benchmark: str
    question: Question
    so_far: tuple[str | None, ...]
    answer: Answer


def pair_answers(
    benchmark: str, answers: Sequence[Answer], questions: Sequence[Question]
) -> list[Judged]:
    """The answers to a benchmark, in their order, with what each of them answers.

    Raises:
        InputError: a model has not answered each turn of each question, or another one.
    """
    known = {question.question_id: question for question in questions}
    models: defaultdict[tuple[Any, ...], dict[Place, str | None]] = defaultdict(dict)
    for answer in answers:
        models[_model(answer)][answer["question_id"], answer["turn"]] = answer["answer"]
    wanted = {(q.question_id, turn) for q in questions for turn in range(1, len(q.turns) + 1)}
    for model, texts in models.items():
        _check_places(benchmark, model, texts.keys(), wanted)
    return [
        Judged(benchmark, known[answer["question_id"]], _list_so_far(answer, models), answer)
        for answer in answers
    ]


def _list_so_far(
    answer: Answer, models: Mapping[tuple[Any, ...], Mapping[Place, str | None]]
) -> tuple[str | None, ...]:
    texts = models[_model(answer)]
    return tuple(texts[answer["question_id"], turn] for turn in range(1, answer["turn"] + 1))


def _check_places(
    benchmark: str, model: tuple[Any, ...], answered: Set[Place], wanted: Set[Place]
) -> None:
    odd = sorted(wanted ^ answered)
    if odd:
        question, turn = odd[0]
        fault = "not answered" if odd[0] in wanted else "none of the benchmark's, but answered"
        name = "/".join(str(part) for part in model if part is not None)
        raise InputError(
            f"{benchmark}: question {question}, turn {turn} is {fault} by {name}; "
            "run `dvc repro` to have the questions answered anew"
        )


def _model(answer: Answer) -> tuple[Any, ...]:
    return tuple(answer[axis] for axis in AXES)
