import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.errors import InputError
from feedback_lens.tables import read_json, read_rows

BY_CORPUS = (
    "ingest",
    "count_feedback",
    "split",
    "score_toxicity",
    "find_refusals",
    "rate_prompts",
    "compare_replies",
)
PAPER_CORPORA = {"lmsys": "LMSYS", "wildchat": "WildChat"}
SPLITS = {"neg": "negative", "rand": "random", "pos": "positive"}
QUALITY_COLUMNS = (*CRITERIA, "mean")
Points = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Run:
    """Which cells exist: the axes of the pipeline, as `run` in params.yaml names them."""

    profile: str
    detector: str
    bases: tuple[str, ...]
    corpora: tuple[str, ...]
    recipes: tuple[str, ...]
    seeds: tuple[int, ...]
    detectors: tuple[str, ...]
    regenerations: tuple[str, ...]
    benchmarks: tuple[str, ...]
    judges: tuple[str, ...]
    gold_sets: tuple[str, ...]

    @property
    def all_corpora(self) -> tuple[str, ...]:
        """The paper's corpora, run or not, then the others that are run."""
        others = (name for name in self.corpora if name not in PAPER_CORPORA)
        return (*PAPER_CORPORA, *others)

    @property
    def other_detectors(self) -> tuple[str, ...]:
        """The detectors beside the one whose labels are used."""
        return tuple(name for name in self.detectors if name != self.detector)


@dataclass(frozen=True)
class Inputs:
    """What the report is made of.

    `metrics` goes by stage, then corpus, gold set or reward model; `confusions` and
    `distributions` are points by gold set and by corpus; `labelers` names the model behind each
    detector and `writers` the models behind each regeneration, as the data have them.
    """

    run: Run
    published: Mapping[str, Any]
    metrics: Mapping[str, Any]
    confusions: Mapping[str, Points]
    distributions: Mapping[str, Points]
    labelers: Mapping[str, str]
    writers: Mapping[str, str]

    @property
    def labeler(self) -> str:
        """The model behind the labels that are used."""
        return self.labelers.get(self.run.detector, self.run.detector)


def name_corpus(corpus: str) -> str:
    """A corpus as the paper spells it, or that it is none of the paper's."""
    return PAPER_CORPORA.get(corpus, f"{corpus} (not in the paper)")


def absent(corpus: str) -> str:
    """What stands in the place of a corpus that is not run."""
    return f"not run: {corpus} is not in run.models.corpora"


def count_labeled(counts: Mapping[str, Any]) -> int:
    """The turns of `count_feedback`, whole or by turn, that have a label."""
    return int(counts["turns"] - counts["unlabeled"])


def read_inputs(
    run: Run, metrics: Path, plots: Path, published: Path, labels: Path, replies: Path
) -> Inputs:
    """Read the metrics and plots of exactly the cells of `run`.

    Raises:
        InputError: a file is missing or unreadable, with its name.
    """
    return Inputs(
        run=run,
        published=_read_published(published),
        metrics=_read_metrics(metrics, run),
        confusions={g: _read_points(plots / "confusion" / f"{g}.csv") for g in run.gold_sets},
        distributions={
            c: _read_points(plots / "turn_distribution" / f"{c}.csv") for c in run.corpora
        },
        labelers=_name_labelers(labels, run),
        writers=_name_writers(replies, run),
    )


def _read_metrics(folder: Path, run: Run) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        stage: {corpus: read_json(folder / stage / f"{corpus}.json") for corpus in run.corpora}
        for stage in BY_CORPUS
    }
    metrics["evaluate_detector"] = {
        name: read_json(folder / "evaluate_detector" / f"{name}.json") for name in run.gold_sets
    }
    metrics["benchmarks"] = read_json(folder / "rate_prompts" / "benchmarks.json")
    for name in ("summary", "significance", "training", "fit_detector"):
        metrics[name] = read_json(folder / f"{name}.json")
    # only where a reward model is trained here; the report has no option that names it
    cards = sorted((folder / "train_reward").glob("*.json"))
    metrics["train_reward"] = {path.stem: read_json(path) for path in cards}
    return metrics


def _read_published(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; restore it with git checkout") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({error}); restore it with git checkout") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: a mapping is wanted; restore it with git checkout")
    return content


def _read_points(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such plot; `dvc repro` makes it") from None


def _name_labelers(folder: Path, run: Run) -> dict[str, str]:
    return {
        detector: _join(
            read_json(folder / corpus / f"{detector}.json")["model"] for corpus in run.corpora
        )
        for detector in run.detectors
    }


def _name_writers(folder: Path, run: Run) -> dict[str, str]:
    return {
        name: _join(
            row["model"]
            for corpus in run.corpora
            for row in read_rows(folder / corpus / f"{name}.parquet", ["model"])
        )
        for name in run.regenerations
    }


def _join(names: Any) -> str:
    return ", ".join(sorted({str(name) for name in names}))
