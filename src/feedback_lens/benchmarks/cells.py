"""The judged models and their rows of the answers and judgments tables."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_lens.axes import UNTRAINED, Axes, JudgeAxes, Model
from feedback_lens.errors import InputError
from feedback_lens.tables import read_rows

COLUMNS = [
    "base",
    "corpus",
    "recipe",
    "seed",
    "question_id",
    "categories",
    "turn",
    "repetition",
    "score",
    "answer_outcome",
    "answer_tokens",
    "answer_characters",
]
Rows = list[dict[str, Any]]
Judgments = Mapping[tuple[str, str], Mapping[Model, Rows]]  # (benchmark, judge) -> model -> rows


def read_answers(folder: Path, models: Sequence[Model], benchmark: str) -> Rows:
    """The answers of exactly these models, with the model's axes; stale files are not looked at.

    Raises:
        InputError: the answers of a model are missing.
    """
    return [
        {**model._asdict(), **row}
        for model in models
        for row in read_rows(folder / model.folder / f"{benchmark}.parquet")
    ]


def read_judgments(folder: Path, axes: Axes) -> dict[tuple[str, str], dict[Model, Rows]]:
    """The judgments in `<judge>/<benchmark>.parquet` of exactly the models that the judge judges.

    Raises:
        InputError: a table or a model is missing, or a model lacks a question, turn and
            repetition that another has, or has one twice.
    """
    return {
        (benchmark, judge): _read_table(folder / judge / f"{benchmark}.parquet", own, axes)
        for benchmark in axes.benchmarks
        for judge, own in axes.judges.items()
        if benchmark in own.benchmarks
    }


def _read_table(path: Path, judge: JudgeAxes, axes: Axes) -> dict[Model, Rows]:
    found: defaultdict[Model, Rows] = defaultdict(list)
    for row in read_rows(path, COLUMNS):
        found[Model(row["base"], row["corpus"], row["recipe"], row["seed"])].append(row)
    wanted = {model: found[model] for model in axes.models() if judge.judges(model)}
    asked = sorted(set(_list_keys(row for rows in wanted.values() for row in rows)))
    for model, rows in wanted.items():
        if not rows or sorted(_list_keys(rows)) != asked:
            raise InputError(
                f"{path}: {_describe(model)} has {len(rows)} judgments where "
                f"{len(asked) or 'some'} are wanted, one a question, turn and repetition; "
                "run `dvc repro judge`, or shorten the axes in run"
            )
    return wanted


def _list_keys(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    return [(row["question_id"], row["turn"], row["repetition"]) for row in rows]


def _describe(model: Model) -> str:
    if model.recipe == UNTRAINED:
        return f"base {model.base!r} (untrained)"
    return f"base {model.base!r}, {model.corpus}, {model.recipe}, seed {model.seed}"
