"""How far annotators and detectors agree: the paper's kappas, and all pairs of label sets."""

from collections.abc import Mapping
from typing import Any

from feedback_lens.feedback.gold.annotators import GOLD
from feedback_lens.feedback.labels import GRANULARITIES
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE, name_gold_set
from feedback_lens.report.tables.causes import OTHER_ANNOTATORS
from feedback_lens.report.tables.reasons import about_gold, explain
from feedback_lens.report.tables.rows import Reason, Table, compare
from feedback_lens.report.tables.values import Value, ours, ours_with_interval, reported

KAPPA = ("kappa", "low", "high")


def list_agreement_tables(inputs: Inputs) -> list[Table]:
    """The paper's kappas beside ours, and those of any two label sets of a gold set."""
    return [_compare_kappas(inputs), _show_pairs(inputs)]


def _compare_kappas(inputs: Inputs) -> Table:
    paper = inputs.published["agreement_cohen_kappa"]
    annotators, detectors = _list_with_gold(inputs)
    missing = "not run: no folder of labels in gold_sets has a second annotator"
    published = [reported(paper[name]) for name in GRANULARITIES]
    rows = [compare("Two annotators", published, annotators, missing)]
    rows += [
        compare(f"The {name} detector and gold {BESIDE}", None, found)
        for name, found in detectors.items()
        if found
    ]
    return Table(
        "Kappa",
        "Agreement of two annotators",
        "Cohen's kappa, with a 95% interval over conversations; the paper's is of "
        f"{paper['n_conversations']} conversations",
        ("binary", "three-way", "fine"),
        tuple(rows),
        explain(about_gold(inputs), Reason("other annotators", (OTHER_ANNOTATORS,))),
    )


def _list_with_gold(
    inputs: Inputs,
) -> tuple[dict[str, list[Value]], dict[str, dict[str, list[Value]]]]:
    """Kappas with gold, by line: those of annotators, and those of each detector."""
    annotators: dict[str, list[Value]] = {}
    detectors: dict[str, dict[str, list[Value]]] = {name: {} for name in inputs.axes.detectors}
    for gold_set, metrics in inputs.metrics["evaluate_detector"].items():
        for pair, measures in metrics["agreement"].items():
            first, _, second = pair.partition("_vs_")
            if first != GOLD:
                continue
            turns = f"n = {measures['turns']}"
            if second in detectors:
                detectors[second][f"ours, {gold_set} ({turns})"] = _list_kappas(measures)
            else:
                annotators[f"ours, {gold_set}: {_name(pair)} ({turns})"] = _list_kappas(measures)
    return annotators, detectors


def _show_pairs(inputs: Inputs) -> Table:
    rows = [
        compare(
            name_gold_set(inputs.axes, gold_set),
            None,
            {_name(pair): _describe(measures) for pair, measures in metrics["agreement"].items()},
        )
        for gold_set, metrics in inputs.metrics["evaluate_detector"].items()
    ]
    return Table(
        "Agreement",
        f"Any two label sets {BESIDE}",
        "Cohen's kappa, with a 95% interval over conversations, over the turns that both label; "
        "unlabeled: turns in both tables that one of the two leaves without a label",
        ("binary", "three-way", "fine", "turns", "unlabeled"),
        tuple(rows),
    )


def _name(pair: str) -> str:
    return pair.replace("_vs_", " and ")


def _describe(measures: Mapping[str, Any]) -> list[Value]:
    sizes = [ours(measures[name], 0) for name in ("turns", "unlabeled")]
    return [*_list_kappas(measures), *sizes]


def _list_kappas(measures: Mapping[str, Any]) -> list[Value]:
    return [ours_with_interval([measures[g][key] for key in KAPPA], 2) for g in GRANULARITIES]
