import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from feedback_lens.axes import Axes
from feedback_lens.calls.catalog import ModelFacts, read_all_facts
from feedback_lens.errors import InputError
from feedback_lens.report.dates import Dates, read_dates
from feedback_lens.report.names import TEXT_LEFT_OUT, join
from feedback_lens.report.plots.plot import Plot, Points, read_plots
from feedback_lens.tables import read_json, read_rows, stream_rows

SINGLE = ("summary", "scores", "significance", "training", "fit_detector", "summarize_calls")
TABLES = ("conversations", "labels")
NO_MODEL = "no model"  # of a judge that is a stand-in
ASKED = ("prompted", "prior")  # detectors that ask a language model
CLUSTER_COLUMNS = ["cluster", "replies", "score", "refusal", "lexical_share", "rank"]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Inputs:
    """What the report is made of.

    `metrics` goes by stage, then corpus, gold set, prompt set, judge of pairs or reward model where
    the stage has several; `train_reward` has the model that scores the replies where it is trained
    here. `plots` are those of plots.yaml, in its order. `clusters` holds for each corpus its
    clusters of replies by falling score, with the reply nearest to the center, the one text of a
    log that is in here. `dates` are those of each corpus' conversations, `catalog` what is known of
    models by their names.

    By whom, as the data have it: `labelers` the labels of each corpus, `judged` those of each
    detector on the gold sets, `writers` each regeneration; a model, or the detector itself where it
    asks none. `judges` and `pair_judges` are the models behind each judge, `reward_model` the name
    of the one that scores the replies. `hashes` goes from a table that all else is made from to its
    MD5, as dvc.lock has it.
    """

    axes: Axes
    published: Mapping[str, Any]
    metrics: Mapping[str, Any]
    plots: Sequence[Plot]
    clusters: Mapping[str, Rows]
    dates: Mapping[str, Dates]
    catalog: Mapping[str, ModelFacts]
    labelers: Mapping[str, str]
    judged: Mapping[str, str]
    writers: Mapping[str, str]
    judges: Mapping[str, str]
    pair_judges: Mapping[str, str]
    reward_model: str
    hashes: Mapping[str, str]

    def points(self, figure: str) -> dict[str, Points]:
        """The points of a figure's plots, by corpus or gold set."""
        return {plot.cell: plot.points for plot in self.plots if plot.name == figure and plot.cell}


def count_labeled(counts: Mapping[str, Any]) -> int:
    """The turns of `count_feedback`, whole or by turn, that have a label."""
    return int(counts["turns"] - counts["unlabeled"])


def read_inputs(
    axes: Axes,
    reward_model: str,
    metrics: Path,
    plots: Path,
    published: Path,
    data: Path,
    catalog: Path,
    *,
    texts: bool,
) -> Inputs:
    """Read the metrics, plots and models of exactly the cells of the axes.

    Without `texts` no text of a log is read: words that say so stand in its place.

    Raises:
        InputError: a file is missing or unreadable, with its name.
    """
    return Inputs(
        axes=axes,
        published=_read_published(published),
        metrics=read_metrics(metrics, axes, reward_model),
        plots=read_plots(plots, axes),
        clusters={name: _read_clusters(data / "refusals", name, texts) for name in axes.corpora},
        dates={name: read_dates(data / f"conversations/{name}.parquet") for name in axes.corpora},
        catalog=read_all_facts(catalog),
        labelers={
            name: _name_labeler(data / "labels" / f"{name}.json", detector)
            for name, detector in axes.corpora.items()
        },
        judged={name: _name_judged(data / "gold_labels", axes, name) for name in axes.detectors},
        writers={name: _name_writers(data / "replies", axes, name) for name in axes.regenerations},
        judges={
            name: _name_models(data / "judgments/answers" / name, judge.benchmarks)
            for name, judge in axes.judges.items()
        },
        pair_judges={
            name: _name_models(data / "judgments/pairs" / name, judge.benchmarks)
            for name, judge in axes.pair_judges.items()
        },
        reward_model=reward_model,
        hashes=_hash_tables(data, axes),
    )


def _hash_tables(data: Path, axes: Axes) -> dict[str, str]:
    names = [
        *(f"{kind}/{corpus}.parquet" for corpus in axes.corpora for kind in TABLES),
        *(f"gold_sets/{gold_set}/turns.parquet" for gold_set in axes.gold_sets),
    ]
    return {name: _hash(data / name) for name in names}


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path}: no such table; `dvc repro` makes it") from None


def read_metrics(folder: Path, axes: Axes, reward_model: str) -> dict[str, Any]:
    """The metrics of exactly the cells of the axes, by stage and cell."""
    analyses = ("ingest", "count_feedback", "split", "score_toxicity", "find_refusals")
    trained_here = folder / "train_reward" / f"{reward_model}.json"
    # where no replies are compared, the file is of an earlier run
    scores = bool(axes.trained) and trained_here.is_file()
    cells: dict[str, Iterable[str]] = {
        **dict.fromkeys((*analyses, "rate_prompts"), axes.corpora),
        **dict.fromkeys(("read_gold", "count_feedback_gold", "evaluate_detector"), axes.gold_sets),
        "rate_prompt_sets": axes.prompt_sets,
        **dict.fromkeys(("compare_replies", "check_leakage", "assemble"), axes.trained),
        "compare_answers": axes.pair_judges,
        "train_reward": [reward_model] if scores else [],
    }
    metrics: dict[str, Any] = {
        stage: {name: read_json(folder / stage / f"{name}.json") for name in names}
        for stage, names in cells.items()
    }
    return metrics | {name: read_json(folder / f"{name}.json") for name in SINGLE}


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


def _read_clusters(folder: Path, corpus: str, texts: bool) -> Rows:
    columns = [*CLUSTER_COLUMNS, *["reply"] * texts]
    rows = read_rows(folder / f"{corpus}_clusters.parquet", columns)
    nearest = ({"reply": TEXT_LEFT_OUT, **row} for row in rows if row["rank"] == 1)
    return sorted(nearest, key=lambda row: int(row["cluster"]))


def _name_labeler(counts: Path, detector: str) -> str:
    return str(read_json(counts)["model"]) if detector in ASKED else f"the {detector} detector"


def _name_judged(folder: Path, axes: Axes, detector: str) -> str:
    counts = [folder / name / f"{detector}.json" for name in axes.gold_sets]
    return join([_name_labeler(path, detector) for path in counts])


def _name_models(folder: Path, benchmarks: Iterable[str]) -> str:
    counts = [read_json(folder / f"{name}.json") for name in benchmarks]
    return join([found["model"] or NO_MODEL for found in counts])


def _name_writers(folder: Path, axes: Axes, regeneration: str) -> str:
    paths = [folder / corpus / f"{regeneration}.parquet" for corpus in axes.trained]
    return join([row["model"] for path in paths for row in stream_rows(path, ["model"])])
