"""The judged models: which cells are wanted, and their rows of the judgments tables."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
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

    def models(self) -> Iterator[Model]:
        """All models of the cells."""
        for base in self.bases:
            yield Model(base, None, UNTRAINED, None)
        for cell in product(self.bases, self.corpora, self.recipes, self.seeds):
            yield Model(*cell)


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
    asked = set(_questions(row for rows in wanted.values() for row in rows))
    for model, rows in wanted.items():
        if sorted(_questions(rows)) != sorted(asked) or not rows:
            raise InputError(
                f"{path}: {_describe(model)} has {len(rows)} judgments where {len(asked)} are "
                "wanted, one a question and turn; run `dvc repro judge`, or shorten the axes in run"
            )
    return wanted


def _questions(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    return [(row["question_id"], row["turn"]) for row in rows]


def _describe(model: Model) -> str:
    if model.recipe == UNTRAINED:
        return f"base {model.base!r} (untrained)"
    return f"base {model.base!r}, {model.corpus}, {model.recipe}, seed {model.seed}"
