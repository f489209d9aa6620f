"""The detectors against the gold labels: Tables 2 and 6 to 11."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from feedback_lens.feedback.labels import GRANULARITIES
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE, list_gold_sets
from feedback_lens.report.tables.detector import describe_share, show_detectors
from feedback_lens.report.tables.reasons import about_detectors, about_gold, about_sparse, explain
from feedback_lens.report.tables.rows import Reason, Row, Table, compare
from feedback_lens.report.tables.values import (
    BLANK,
    DASH,
    Value,
    ours,
    reported,
    reported_rate,
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
DETECTORS = {"prior": "prior", "ours": "prompted"}  # ours beside each prompt of the paper
SETTINGS = ("sparse", "dense")
COUNTS = {"sparse": "table6_binary_sparse", "dense": "table7_binary_dense"}
TRIALS = {"recall": ("tp", "fn"), "precision": ("tp", "fp")}  # of all turns the others
AS_PUBLISHED = (
    "as published: of the gold turns only those with feedback or listed in the reply, as the "
    "paper's tables rest on another set of turns for each prompt"
)
NO_NEGATIVES = (
    "so there are no true negatives or false positives to count; the paper's figures can have "
    "some, as it counts what the reply lists beside them"
)
OCCURRING = (
    "–: no gold turn has the label; macro averages the classes that occur in gold or are predicted"
)
Pick = Callable[[Mapping[str, Any]], list[Value]]
Found = Mapping[str, Sequence[Value]]


def list_detection_tables(inputs: Inputs) -> list[Table]:
    """Tables 2 and 6 to 11, cell by cell, and all detectors side by side."""
    return [
        _compare_accuracies(inputs),
        _compare_binary(inputs, "Table 6", "sparse", BINARY),
        _compare_binary(inputs, "Table 7", "dense", ("predicted_per_conversation", *BINARY)),
        _compare_classes(inputs, "Table 8", "sparse", "prior"),
        _compare_classes(inputs, "Table 9", "sparse", "ours"),
        _compare_classes(inputs, "Table 10", "dense", "prior"),
        _compare_classes(inputs, "Table 11", "dense", "ours"),
        show_detectors(inputs),
    ]


def _compare_accuracies(inputs: Inputs) -> Table:
    rows: list[Row] = []
    for setting in SETTINGS:
        for prompt, title in PROMPTS.items():
            paper = inputs.published["table2_detection_accuracy"][setting][prompt]
            counts = inputs.published[COUNTS[setting]]["counts_that_give_these"].get(prompt)
            parts = {"binary": "accuracy", "precision": "precision", "recall": "recall"}
            published = [
                _report(paper[column], counts, parts.get(column))
                for column in (*GRANULARITIES, "precision", "recall")
            ]
            found, missing = _find(inputs, setting, DETECTORS[prompt], _list_accuracies)
            rows.append(compare(f"{setting.capitalize()}, {title}", published, found, missing))
    others = [name for name in inputs.axes.detectors if name not in DETECTORS.values()]
    for setting in SETTINGS:
        for detector in others:
            found, missing = _find(inputs, setting, detector, _list_accuracies)
            name = f"{setting.capitalize()}, {detector} detector {BESIDE}"
            rows.append(compare(name, None, found, missing))
    return Table(
        "Table 2",
        "Automatic detection of feedback",
        "percent, with 95% intervals over conversations",
        ("binary", "three-way", "fine", "precision", "recall"),
        tuple(rows),
        _explain(inputs),
    )


def _report(figure: Any, counts: Mapping[str, int] | None, column: str | None) -> Value:
    """A figure of the paper, with an interval where it is a share of turns that are known.

    `counts` are the `tp`, `fp`, `fn` and `tn` that give the paper's figures; null where none do.
    """
    if figure is None or counts is None or column not in BINARY:
        return reported(figure)
    return reported_rate(figure, sum(counts[name] for name in TRIALS.get(column, counts)))


def _list_accuracies(metrics: Mapping[str, Any]) -> list[Value]:
    accuracies = [describe_share(metrics[name], "accuracy") for name in GRANULARITIES]
    return [*accuracies, *(describe_share(metrics["binary"], n) for n in ("precision", "recall"))]


def _compare_binary(inputs: Inputs, name: str, setting: str, columns: Sequence[str]) -> Table:
    rows = []
    for prompt, title in PROMPTS.items():
        table = inputs.published[COUNTS[setting]]
        paper, counts = table[prompt], table["counts_that_give_these"].get(prompt)
        pick = partial(_list_binary, columns=columns)
        found, missing = _find(inputs, setting, DETECTORS[prompt], pick)
        published = [_report(paper[column], counts, column) for column in columns]
        rows.append(compare(title, published, found, missing))
    return Table(
        name,
        f"Feedback or none, {setting} set",
        "percent of turns; precision and recall of feedback; 95% intervals over conversations",
        tuple(column.replace("_", " ") for column in columns),
        tuple(rows),
        _explain(inputs, setting),
    )


def _list_binary(metrics: Mapping[str, Any], columns: Sequence[str]) -> list[Value]:
    return [_describe_binary(metrics, column) for column in columns]


def _describe_binary(metrics: Mapping[str, Any], column: str) -> Value:
    if column in metrics["binary"]:
        return describe_share(metrics["binary"], column)
    # whole conversations have it, a choice of their turns does not
    return ours(metrics[column], 2) if column in metrics else DASH


def _compare_classes(inputs: Inputs, name: str, setting: str, prompt: str) -> Table:
    short = f"{name.replace(' ', '').lower()}_{setting}_{prompt}"
    paper = inputs.published["three_way"][short]
    rows = []
    for part in ("NEG", "NEU", "POS", "accuracy", "macro", "weighted"):
        pick = partial(_list_class, part=part)
        found, missing = _find(inputs, setting, DETECTORS[prompt], pick)
        content = paper[part]
        cells = content if isinstance(content, list) else [content]
        published = [reported(cell) for cell in cells] + [BLANK] * (3 - len(cells))
        rows.append(compare(part, published, found, missing))
    return Table(
        name,
        f"Negative, positive or none, {setting} set, {PROMPTS[prompt]}",
        "percent (accuracy stands in the first column); 95% intervals over conversations; "
        f"{OCCURRING}",
        ("precision", "recall", "F1"),
        tuple(rows),
        _explain(inputs, setting),
    )


def _list_class(metrics: Mapping[str, Any], part: str) -> list[Value]:
    if part == "accuracy":
        return [describe_share(metrics["three_way"], "accuracy"), BLANK, BLANK]
    measures = metrics["three_way"][part]
    if measures.get("support") == 0:  # the averages have none
        return [DASH] * 3
    return [describe_share(measures, name) for name in ("precision", "recall", "f1")]


def _find(inputs: Inputs, setting: str, detector: str, pick: Pick) -> tuple[Found, str]:
    """A detector's figures on each gold set of a setting, and what to say without any."""
    if detector not in inputs.axes.detectors:
        return {}, f"not run: {detector} is not in run.detection.detectors"
    found: dict[str, Sequence[Value]] = {}
    for name in list_gold_sets(inputs.axes, setting):
        metrics = inputs.metrics["evaluate_detector"][name][detector]
        published = metrics["as_published"] if detector in DETECTORS.values() else None
        same = published is not None and published["turns"] == metrics["turns"]
        counted = "ours and as published" if same else "ours"
        found[f"{counted}, {name} (n = {metrics['turns']})"] = pick(metrics)
        if published is not None and not same:
            found[f"as published, {name} (n = {published['turns']})"] = pick(published)
    return found, f"not run: gold_sets has no {setting} set"


def _explain(inputs: Inputs, setting: str = "dense") -> Reason:
    """`setting` is that of the table's gold sets; only sparse sets call for more words."""
    full = about_sparse(inputs) if setting == "sparse" else ""
    sparse = f"{full}, {NO_NEGATIVES}" if full else ""
    return explain(about_gold(inputs), about_detectors(inputs), AS_PUBLISHED, sparse)
