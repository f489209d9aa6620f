"""The detectors against the gold labels: Tables 2 and 6 to 11, and the local one out of fold."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from feedback_lens.feedback.labels import GRANULARITIES
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.reasons import about_data, about_labels, explain
from feedback_lens.report.values import (
    BLANK,
    Row,
    Table,
    Value,
    compare,
    ours,
    ours_with_interval,
    percent,
    reported,
)

BINARY = (
    "false_positive",
    "false_negative",
    "true_positive",
    "true_negative",
    "accuracy",
    "recall",
    "precision",
)
PROMPTS = {"prior": "prior work's prompt", "ours": "the paper's prompt"}
PRIOR_MISSING = "not run: the prompt of prior work is not part of this project"
BASELINES = {
    "local": "local detector",
    "keywords": "keywords",
    "majority": "most frequent label",
}
ACCURACY = ("accuracy", "accuracy_low", "accuracy_high")
Found = Mapping[str, Sequence[Value]]


def list_detection_tables(inputs: Inputs) -> list[Table]:
    """Tables 2 and 6 to 11, cell by cell, and the local detector beside its baselines."""
    return [
        _compare_accuracies(inputs),
        _compare_binary(inputs, "Table 6", "sparse", BINARY),
        _compare_binary(inputs, "Table 7", "dense", ("predicted_per_conversation", *BINARY)),
        _compare_classes(inputs, "Table 8", "sparse", "prior"),
        _compare_classes(inputs, "Table 9", "sparse", "ours"),
        _compare_classes(inputs, "Table 10", "dense", "prior"),
        _compare_classes(inputs, "Table 11", "dense", "ours"),
        _show_local(inputs),
    ]


def _compare_accuracies(inputs: Inputs) -> Table:
    rows: list[Row] = []
    for kind in ("sparse", "dense"):
        for prompt in ("prior", "ours"):
            paper = inputs.published["table2_detection_accuracy"][kind][prompt]
            published = [reported(paper[n]) for n in (*GRANULARITIES, "precision", "recall")]
            found, missing = _find(inputs, kind, prompt, _list_accuracies)
            rows.append(
                compare(f"{kind.capitalize()}, {PROMPTS[prompt]}", published, found, missing)
            )
    for detector in inputs.run.other_detectors:
        found = _measure(inputs, "dense", detector, _list_accuracies)
        rows.append(compare(f"Dense, {detector} detector (not in the paper)", None, found))
    return Table(
        "Table 2",
        "Automatic detection of feedback",
        "percent; accuracy with a 95% interval over conversations",
        ("binary", "three-way", "fine", "precision", "recall"),
        tuple(rows),
        explain(about_data(inputs.run), about_labels(inputs)),
    )


def _list_accuracies(metrics: Mapping[str, Any]) -> list[Value]:
    accuracies = [
        ours_with_interval([percent(metrics[name][key]) for key in ACCURACY], 1)
        for name in GRANULARITIES
    ]
    return [*accuracies, *(_percent(metrics["binary"], name) for name in ("precision", "recall"))]


def _compare_binary(inputs: Inputs, name: str, kind: str, columns: Sequence[str]) -> Table:
    rows = []
    for prompt in ("prior", "ours"):
        paper = inputs.published[f"{name.replace(' ', '').lower()}_binary_{kind}"][prompt]
        found, missing = _find(inputs, kind, prompt, partial(_list_binary, columns=columns))
        published = [reported(paper[column]) for column in columns]
        rows.append(compare(PROMPTS[prompt], published, found, missing))
    return Table(
        name,
        f"Feedback or none, {kind} set",
        "percent of turns; precision and recall of feedback",
        tuple(column.replace("_", " ") for column in columns),
        tuple(rows),
        explain(about_data(inputs.run), about_labels(inputs)),
    )


def _list_binary(metrics: Mapping[str, Any], columns: Sequence[str]) -> list[Value]:
    return [
        ours(metrics[name], 2) if name in metrics else _percent(metrics["binary"], name)
        for name in columns
    ]


def _compare_classes(inputs: Inputs, name: str, kind: str, prompt: str) -> Table:
    short = f"{name.replace(' ', '').lower()}_{kind}_{prompt}"
    paper = inputs.published["three_way"][short]
    rows = []
    for part in ("NEG", "NEU", "POS", "accuracy", "macro", "weighted"):
        found, missing = _find(inputs, kind, prompt, partial(_list_class, part=part))
        content = paper[part]
        cells = content if isinstance(content, list) else [content]
        published = [reported(cell) for cell in cells] + [BLANK] * (3 - len(cells))
        rows.append(compare(part, published, found, missing))
    return Table(
        name,
        f"Negative, positive or none, {kind} set, {PROMPTS[prompt]}",
        "percent (accuracy stands in the first column)",
        ("precision", "recall", "F1"),
        tuple(rows),
        explain(about_data(inputs.run), about_labels(inputs)),
    )


def _list_class(metrics: Mapping[str, Any], part: str) -> list[Value]:
    if part == "accuracy":
        return [_percent(metrics["three_way"], "accuracy"), BLANK, BLANK]
    return [_percent(metrics["three_way"][part], name) for name in ("precision", "recall", "f1")]


def _show_local(inputs: Inputs) -> Table:
    metrics = inputs.metrics["fit_detector"]
    found = {
        f"{label} (n = {metrics[name]['turns']})": [
            _percent(metrics[name]["three_way"], "accuracy"),
            _percent(metrics[name]["fine"]["macro"], "f1"),
        ]
        for name, label in BASELINES.items()
    }
    return Table(
        "Local detector",
        "The local detector beside two baselines (not in the paper)",
        "percent, against all gold labels; the detector out of fold, on conversations that it was "
        "not fitted on",
        ("three-way accuracy", "fine macro-F1"),
        (compare("All gold sets", None, found),),
        "",
    )


def _percent(metrics: Mapping[str, float | None], name: str) -> Value:
    return ours(percent(metrics[name]), 1)


def _find(
    inputs: Inputs, kind: str, prompt: str, pick: Callable[[Mapping[str, Any]], list[Value]]
) -> tuple[Found, str]:
    """The figures beside the paper's `prior` or `ours` prompt, and what to say without any."""
    if prompt == "prior":
        return {}, PRIOR_MISSING
    missing = f"not run: run.gold.gold_sets names no {kind} set"
    return _measure(inputs, kind, inputs.run.detector, pick), missing


def _measure(
    inputs: Inputs, kind: str, detector: str, pick: Callable[[Mapping[str, Any]], list[Value]]
) -> Found:
    return {
        f"ours, {name}": pick(metrics[detector])
        for name, metrics in inputs.metrics["evaluate_detector"].items()
        if ("sparse" in name) == (kind == "sparse")
    }
