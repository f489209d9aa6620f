"""The judged models: which cells are wanted, and their rows of the judgments tables."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from feedback_lens.errors import InputError
from feedback_lens.tables import read_rows

COLUMNS = ["base", "corpus", "recipe", "seed", "question_id", "category", "turn", "score"]
UNTRAINED = "base"


class Model(NamedTuple):
    """A judged model; the untrained base has recipe `base`, and null for corpus and seed."""

    base: str
    corpus: str | None
    recipe: str
    seed: int | None

    @property
    def folder(self) -> Path:
        """Its folder among answers: the axes in matrix order."""
        if self.recipe == UNTRAINED:
            return Path(self.base) / UNTRAINED
        return Path(self.base) / str(self.corpus) / self.recipe / str(self.seed)


Rows = list[dict[str, Any]]
Judgments = Mapping[tuple[str, str], Mapping[Model, Rows]]  # (benchmark, judge) -> model -> rows


@dataclass(frozen=True)
class Cells:
    """The axes whose product is read: each base untrained, and trained by each recipe and seed."""

    benchmarks: tuple[str, ...]
    judges: tuple[str, ...]
    bases: tuple[str, ...]
    corpora: tuple[str, ...]
    recipes: tuple[str, ...]
    seeds: tuple[int, ...]

    def models(self) -> list[Model]:
        """All models of the cells."""
        return list_models(self.bases, self.corpora, self.recipes, self.seeds)


def list_models(
    bases: Sequence[str], corpora: Sequence[str], recipes: Sequence[str], seeds: Sequence[int]
) -> list[Model]:
    """The untrained bases, then every base trained on every corpus by every recipe and seed."""
    untrained = [Model(base, None, UNTRAINED, None) for base in bases]
    return untrained + [Model(*cell) for cell in product(bases, corpora, recipes, seeds)]


def read_answers(folder: Path, models: Sequence[Model], benchmark: str) -> list[dict[str, Any]]:
    """The answers of exactly these models, with the model's axes; stale files are not looked at.

    Raises:
        InputError: the answers of a model are missing.
    """
    return [
        {**model._asdict(), **row}
        for model in models
        for row in read_rows(folder / model.folder / f"{benchmark}.parquet")
    ]


def read_judgments(folder: Path, cells: Cells) -> dict[tuple[str, str], dict[Model, Rows]]:
    """The judgments of exactly these cells from `<benchmark>/<judge>.parquet`.

    Raises:
        InputError: a table or a cell is missing, or a cell lacks a question and turn that another
            has, or has one twice.
    """
    return {
        (benchmark, judge): _read_table(folder / benchmark / f"{judge}.parquet", cells)
        for benchmark, judge in product(cells.benchmarks, cells.judges)
    }


def _read_table(path: Path, cells: Cells) -> dict[Model, Rows]:
    found: defaultdict[Model, Rows] = defaultdict(list)
    for row in read_rows(path, COLUMNS):
        found[Model(row["base"], row["corpus"], row["recipe"], row["seed"])].append(row)
    wanted = {model: found[model] for model in cells.models()}
    asked = sorted(set(_questions(row for rows in wanted.values() for row in rows)))
    for model, rows in wanted.items():
        if not rows or sorted(_questions(rows)) != asked:
            raise InputError(
                f"{path}: {_describe(model)} has {len(rows)} judgments where "
                f"{len(asked) or 'some'} are wanted, one a question and turn; "
                "run `dvc repro judge`, or shorten the axes in run"
            )
    return wanted


def _questions(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    return [(row["question_id"], row["turn"]) for row in rows]


def _describe(model: Model) -> str:
    if model.recipe == UNTRAINED:
        return f"base {model.base!r} (untrained)"
    return f"base {model.base!r}, {model.corpus}, {model.recipe}, seed {model.seed}"
