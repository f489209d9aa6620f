"""Pairs of answers to compare: each model's with those of one recipe, and in which order.

Source: FastChat's pairwise judging against a baseline (llm_judge/gen_judgment.py).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.axes import UNTRAINED, Axes, Model
from feedback_lens.benchmarks.questions import Question
from feedback_lens.errors import InputError
from feedback_lens.tables import read_rows

PAIR_JUDGMENTS = pa.schema(
    [
        ("base", pa.string()),
        ("corpus", pa.string()),
        ("recipe", pa.string()),
        ("seed", pa.int32()),
        ("against", pa.string()),
        ("question_id", pa.string()),
        ("categories", pa.list_(pa.string())),
        ("turn", pa.int32()),
        ("order", pa.int32()),
        ("repetition", pa.int32()),
        ("verdict", pa.string()),
        ("outcome", pa.string()),
        ("judgment", pa.string()),
    ]
)
# what a side gets of the win
POINTS: Mapping[str, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}
Answers = tuple[str | None, ...]
Sides = tuple[Answers, Answers]  # of assistant A and of assistant B
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Pair:
    """Two models' answers to the first turns of a question, of which the last is compared."""

    model: Model
    question: Question
    answers: Answers
    others: Answers

    @property
    def turn(self) -> int:
        """The turn that is compared, from 1."""
        return len(self.answers)

    def in_order(self, order: int) -> Sides:
        """The answers of both sides; with order 0 the model is A."""
        return (self.others, self.answers) if order else (self.answers, self.others)


def find_opponents(models: Sequence[Model], against: str) -> dict[Model, Model]:
    """For each trained model of another recipe, that of the recipe `against`.

    It has the same base, corpus and seed, or, against `base`, is the untrained base.

    Raises:
        InputError: there is no such model.
    """
    opponents: dict[Model, Model] = {}
    for model in models:
        if model.recipe in (against, UNTRAINED):
            continue
        opponent = model._replace(recipe=against)
        if against == UNTRAINED:
            opponent = Model(model.base, None, UNTRAINED, None)
        if opponent not in models:
            raise InputError(
                f"pair_judges: {model.folder} has no opponent: {opponent.folder} is none of the "
                f"models in run; train the recipe {against!r} there, too, or change `against`"
            )
        opponents[model] = opponent
    return opponents


def list_pairs(
    answers: Iterable[Mapping[str, Any]],
    opponents: Mapping[Model, Model],
    questions: Sequence[Question],
) -> list[Pair]:
    """A pair for each model, question and turn.

    `answers` are rows of `ANSWERS` with base, corpus, recipe, seed, those of opponents among them.

    Raises:
        InputError: an answer is missing, or is to a question that the benchmark lacks.
    """
    texts = {(_model_of(row), row["question_id"], row["turn"]): row["answer"] for row in answers}
    known = {question.question_id for question in questions}
    unknown = sorted({question for _, question, _ in texts} - known)
    if unknown:
        raise InputError(f"answers to questions that the benchmark lacks: {unknown[0]}")

    def find(model: Model, question: Question, turn: int) -> Answers:
        keys = [(model, question.question_id, number) for number in range(1, turn + 1)]
        missing = [key for key in keys if key not in texts]
        if missing:
            raise InputError(
                f"data/answers/{model.folder}: no answer to {question.question_id}, turn "
                f"{missing[0][2]}; run `dvc repro answer`"
            )
        return tuple(texts[key] for key in keys)

    return [
        Pair(model, question, find(model, question, turn), find(opponent, question, turn))
        for model, opponent in opponents.items()
        for question in questions
        for turn in range(1, len(question.turns) + 1)
    ]


def list_orders(question_id: str, both_orders: bool) -> tuple[int, ...]:
    """The orders in which a question's pairs are judged: both, or one by a hash of its id."""
    if both_orders:
        return 0, 1
    return (hashlib.sha256(question_id.encode()).digest()[0] % 2,)


def read_pair_judgments(folder: Path, judge: str, axes: Axes) -> dict[str, dict[Model, Rows]]:
    """A judge's folder: benchmark -> model -> rows, from `<benchmark>.parquet`.

    Exactly the models that the judge compares; stale rows are not looked at.

    Raises:
        InputError: a table or a model is missing, or a model lacks a comparison that another has,
            or has one twice.
    """
    own = axes.pair_judges[judge]
    opponents = find_opponents(axes.models(), own.against)
    return {
        benchmark: _read_table(folder / f"{benchmark}.parquet", opponents)
        for benchmark in own.benchmarks
    }


def _read_table(path: Path, models: Iterable[Model]) -> dict[Model, Rows]:
    found: defaultdict[Model, Rows] = defaultdict(list)
    for row in read_rows(path, [name for name in PAIR_JUDGMENTS.names if name != "judgment"]):
        found[_model_of(row)].append(row)
    wanted = {model: found[model] for model in models}
    asked = sorted({key for rows in wanted.values() for key in _list_keys(rows)})
    for model, rows in wanted.items():
        if not rows or sorted(_list_keys(rows)) != asked:
            raise InputError(
                f"{path}: {model.folder} has {len(rows)} comparisons where {len(asked) or 'some'} "
                "are wanted, one a question, turn, order and repetition; run "
                "`dvc repro judge_pairs`, or shorten the axes in run"
            )
    return wanted


def _list_keys(rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["question_id"], row["turn"], row["order"], row["repetition"]) for row in rows]


def _model_of(row: Mapping[str, Any]) -> Model:
    return Model(row["base"], row["corpus"], row["recipe"], row["seed"])
