"""Which cells the pipeline has, as params.yaml names them.

DVC unpacks values into a command, but not the names of a mapping's entries. The stages that sum up
over all cells read them here, so that an entry that is taken out leaves no row behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from feedback_lens.errors import InputError


@dataclass(frozen=True)
class Axes:
    """The axes of the pipeline.

    `corpora` goes from a corpus to the detector whose labels its analyses use, `gold_sets` from a
    gold set to its setting, `dense` or `sparse`; `trained` are the corpora to train on.
    """

    profile: str
    corpora: Mapping[str, str]
    gold_sets: Mapping[str, str]
    prompt_sets: tuple[str, ...]
    detectors: tuple[str, ...]
    regenerations: tuple[str, ...]
    bases: tuple[str, ...]
    trained: tuple[str, ...]
    recipes: tuple[str, ...]
    seeds: tuple[int, ...]
    benchmarks: tuple[str, ...]
    judges: tuple[str, ...]


def read_axes(params: Path) -> Axes:
    """The axes in a params.yaml.

    Raises:
        InputError: the file cannot be read, or lacks a section or value of them.
    """
    content = _read(params)

    def find(name: str) -> Any:
        value: Any = content
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise InputError(f"{params}: {name} is missing; `git diff {params}` shows edits")
            value = value[part]
        return value

    def names(section: str) -> tuple[Any, ...]:
        return tuple(find(section) or ())

    return Axes(
        profile=str(find("run.profile")),
        corpora={name: find(f"corpora.{name}.detector") for name in names("corpora")},
        gold_sets={name: find(f"gold_sets.{name}.setting") for name in names("gold_sets")},
        prompt_sets=names("prompt_sets"),
        detectors=names("run.detection.detectors"),
        regenerations=names("run.regeneration.regenerations"),
        bases=names("run.models.bases"),
        trained=names("run.models.corpora"),
        recipes=names("run.models.recipes"),
        seeds=names("run.models.seeds"),
        benchmarks=names("run.evaluation.benchmarks"),
        judges=names("run.judging.judges"),
    )


def _read(params: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(params.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{params}: cannot be read as YAML ({error})") from None
    if not isinstance(content, Mapping):
        raise InputError(f"{params}: a mapping of sections is wanted")
    return content
