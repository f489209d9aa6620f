"""Which cells the pipeline has, as params.yaml names them.

DVC unpacks values into a command, but not the names of a mapping's entries. The stages that sum up
over all cells read them here, so that an entry that is taken out leaves no row behind.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from feedback_lens.errors import InputError

UNTRAINED = "base"
Names = tuple[Any, ...]


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


def read_axes(params: Path) -> Axes:
    """The axes in a params.yaml.

    Raises:
        InputError: the file cannot be read, lacks a section or value of them, has a model twice,
            or names what is not there.
    """
    content = _read(params)

    def find(name: str) -> Any:
        value: Any = content
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise InputError(f"{params}: {name} is missing; `git diff {params}` shows edits")
            value = value[part]
        return value

    def names(section: str) -> Names:
        found = find(section)
        if not isinstance(found, Mapping | list | None):
            raise InputError(f"{params}: {section}: a list is wanted, found {found!r}")
        return tuple(found or ())

    axes = Axes(
        profile=str(find("run.profile")),
        corpora={name: find(f"corpora.{name}.detector") for name in names("corpora")},
        gold_sets={name: find(f"gold_sets.{name}.setting") for name in names("gold_sets")},
        prompt_sets=names("prompt_sets"),
        detectors=names("run.detection.detectors"),
        regenerations=names("run.regeneration.regenerations"),
        untrained=names("run.untrained.bases"),
        groups=(_read_group(names, "run.models"), _read_group(names, "run.further_models")),
        benchmarks=names("run.evaluation.benchmarks"),
        judges={name: _read_judge(names, f"judges.{name}") for name in names("judges")},
        pair_judges={
            name: PairJudgeAxes(
                names(f"pair_judges.{name}.benchmarks"), str(find(f"pair_judges.{name}.against"))
            )
            for name in names("pair_judges")
        },
    )
    _check(axes, params)
    return axes


def _read_group(names: Callable[[str], Names], section: str) -> ModelGroup:
    axes = ("bases", "corpora", "recipes", "seeds")
    return ModelGroup(*(names(f"{section}.{axis}") for axis in axes))


def _read_judge(names: Callable[[str], Names], section: str) -> JudgeAxes:
    axes = ("benchmarks", "bases", "corpora", "recipes")
    return JudgeAxes(*(names(f"{section}.{axis}") for axis in axes))


def _check(axes: Axes, params: Path) -> None:
    models = axes.models()
    twice = next((model for model in models if models.count(model) > 1), None)
    if twice is not None:
        raise InputError(
            f"{params}: {twice.folder} is twice among run.models and run.further_models"
        )
    for section, names, known, where in _list_references(axes):
        for name in names:
            if name not in known:
                raise InputError(f"{params}: {section}: {name!r} is none of {where}")


def _list_references(axes: Axes) -> Iterator[tuple[str, Names, Names, str]]:
    """A section, the names in it, what these may be, and where that stands."""
    main, further = axes.groups
    sets = "run.models, for which training sets are made"
    yield "run.further_models.corpora", further.corpora, main.corpora, f"the corpora of {sets}"
    recipes = (*axes.recipes, UNTRAINED)
    answered = "run.evaluation.benchmarks, which models answer"
    for judge, own in axes.judges.items():
        yield f"judges.{judge}.benchmarks", own.benchmarks, axes.benchmarks, answered
        yield f"judges.{judge}.bases", own.bases, axes.bases, "the bases in run"
        yield f"judges.{judge}.corpora", own.corpora, axes.trained, "the corpora of run.models"
        yield f"judges.{judge}.recipes", own.recipes, recipes, "the recipes in run, or base"
    for judge, pairs in axes.pair_judges.items():
        yield f"pair_judges.{judge}.benchmarks", pairs.benchmarks, axes.benchmarks, answered
        yield f"pair_judges.{judge}.against", (pairs.against,), recipes, "the recipes, or base"


def _read(params: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(params.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{params}: cannot be read as YAML ({error})") from None
    if not isinstance(content, Mapping):
        raise InputError(f"{params}: a mapping of sections is wanted")
    return content
