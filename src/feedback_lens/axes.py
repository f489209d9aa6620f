"""The axes of the pipeline: which cells it has. `params.read_axes` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

UNTRAINED = "base"


class Model(NamedTuple):
    """A model that answers; the untrained base has recipe `base`, and null for corpus and seed."""

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


@dataclass(frozen=True)
class ModelGroup:
    """Bases that are trained, each on every corpus by every recipe with every seed."""

    bases: tuple[str, ...]
    corpora: tuple[str, ...]
    recipes: tuple[str, ...]
    seeds: tuple[int, ...]

    def trained(self) -> list[Model]:
        """The product of the axes."""
        return [
            Model(*cell) for cell in product(self.bases, self.corpora, self.recipes, self.seeds)
        ]


@dataclass(frozen=True)
class JudgeAxes:
    """What a judge judges: answers to its benchmarks by models of its axes; an empty one has all.

    `base` among the recipes is the untrained base, which no choice of corpora leaves out.
    """

    benchmarks: tuple[str, ...]
    bases: tuple[str, ...]
    corpora: tuple[str, ...]
    recipes: tuple[str, ...]

    def judges(self, model: Model) -> bool:
        """Whether answers of the model are judged."""
        return (
            model.base in (self.bases or (model.base,))
            and model.corpus in (None, *(self.corpora or (model.corpus,)))
            and model.recipe in (self.recipes or (model.recipe,))
        )


@dataclass(frozen=True)
class PairJudgeAxes:
    """What a judge of pairs compares: answers with those of the recipe `against`."""

    benchmarks: tuple[str, ...]
    against: str


@dataclass(frozen=True)
class Axes:
    """The axes of the pipeline.

    `corpora` goes from a corpus to the detector whose labels its analyses use, `gold_sets` from a
    gold set to its setting, `dense` or `sparse`; `untrained` are the bases that answer as they are,
    `groups` the products of models to train.
    """

    profile: str
    corpora: Mapping[str, str]
    gold_sets: Mapping[str, str]
    prompt_sets: tuple[str, ...]
    detectors: tuple[str, ...]
    regenerations: tuple[str, ...]
    untrained: tuple[str, ...]
    groups: tuple[ModelGroup, ...]
    benchmarks: tuple[str, ...]
    judges: Mapping[str, JudgeAxes]
    pair_judges: Mapping[str, PairJudgeAxes]

    @property
    def bases(self) -> tuple[str, ...]:
        """The bases that answer untrained and those of all groups, each once."""
        trained = (name for group in self.groups for name in group.bases)
        return tuple(dict.fromkeys((*self.untrained, *trained)))

    @property
    def trained(self) -> tuple[str, ...]:
        """The corpora that models are trained on, each once."""
        return tuple(dict.fromkeys(name for group in self.groups for name in group.corpora))

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes of all groups, each once."""
        return tuple(dict.fromkeys(name for group in self.groups for name in group.recipes))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all groups, each once."""
        return tuple(dict.fromkeys(seed for group in self.groups for seed in group.seeds))

    def models(self) -> list[Model]:
        """The untrained bases, then the models of every group."""
        untrained = [Model(base, None, UNTRAINED, None) for base in self.untrained]
        return untrained + [model for group in self.groups for model in group.trained()]
