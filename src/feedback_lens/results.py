"""The short table of results that `make repro` ends with, from the committed metrics."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from feedback_lens.axes import UNTRAINED, Axes
from feedback_lens.tables import read_json

Line = tuple[str, str]


def list_results(metrics: Path, axes: Axes) -> list[Line]:
    """What the run's metrics files found, as (name, value) lines; a missing file has none.

    Metrics of cells that the axes do not name may lie beside; they are left out.
    """
    return [
        *_feedback(metrics, axes.corpora),
        *_detectors(metrics, axes),
        *_win_rates(metrics, axes.trained),
        *_scores(metrics),
    ]


def _feedback(metrics: Path, corpora: Mapping[str, str]) -> Iterator[Line]:
    for path in _find(metrics / "count_feedback", corpora):
        counts = read_json(path)
        labels = {name: label["share"] for name, label in counts["by_label"].items()}
        feedback = None if labels["NEU"] is None else 1 - labels["NEU"]
        yield (
            f"feedback in {path.stem}, as the {corpora[path.stem]} detector finds it",
            f"{_number(feedback)} of {counts['turns']} user turns; praise {_number(labels['POS'])}",
        )


def _detectors(metrics: Path, axes: Axes) -> Iterator[Line]:
    for path in _find(metrics / "evaluate_detector", axes.gold_sets):
        detectors = read_json(path)
        for name in axes.detectors:
            detector = detectors[name]
            three_way = detector["three_way"]["accuracy"]
            macro_f1 = detector["fine"]["macro"]["f1"]
            yield (
                f"detector {name} on {path.stem}",
                f"three-way accuracy {_number(three_way)}, fine macro-F1 {_number(macro_f1)}",
            )


def _win_rates(metrics: Path, corpora: Iterable[str]) -> Iterator[Line]:
    for path in _find(metrics / "compare_replies", corpora):
        for name, settings in read_json(path)["neg"].items():
            shares = [_number(settings[s]["win_rate"]) for s in settings]
            yield f"win rate {name}, {path.stem}", f"{shares[0]} with feedback, {shares[1]} without"


def _scores(metrics: Path) -> Iterator[Line]:
    path = metrics / "summary.json"
    for benchmark, judges in (read_json(path) if path.is_file() else {}).items():
        for judge, bases in judges.items():
            for base, corpora in bases.items():
                yield from _score_lines(f"{benchmark} ({judge} judge), {base}", corpora)


def _score_lines(name: str, corpora: dict[str, Any]) -> Iterator[Line]:
    for corpus, recipes in corpora.items():
        if corpus == UNTRAINED:
            yield f"{name}, untrained", _number(recipes["mean"])
            continue
        for recipe, score in recipes.items():
            mean, spread = _number(score["mean"]), _number(score["spread"])
            yield f"{name}, {corpus} {recipe}", f"{mean} ± {spread}"


def _find(folder: Path, names: Iterable[str]) -> list[Path]:
    paths = [folder / f"{name}.json" for name in names]
    return [path for path in paths if path.is_file()]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
