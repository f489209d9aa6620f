"""When and how often users give feedback, and who says so: Table 1, Figures 2 and 6, kappas."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from feedback_lens.feedback.labels import FINE, GRANULARITIES
from feedback_lens.report.inputs import (
    PAPER_CORPORA,
    Inputs,
    Points,
    absent,
    count_labeled,
    name_corpus,
)
from feedback_lens.report.reasons import about_data, explain
from feedback_lens.report.values import (
    DRAWN,
    Table,
    Value,
    compare,
    ours,
    ours_with_interval,
    reported,
    share,
)

TURNS = {"2": "n2", "3": "n3", "4": "n4", "5+": "n5plus"}


def list_feedback_tables(inputs: Inputs) -> list[Table]:
    """Table 1, Figures 2 and 6, and the kappas."""
    return [
        _compare_statistics(inputs),
        _show_turns(inputs),
        _show_labels(inputs),
        _compare_kappas(inputs),
    ]


def _compare_statistics(inputs: Inputs) -> Table:
    published = inputs.published["table1_annotation_stats"]
    counts = inputs.metrics["count_feedback"]
    rows = [
        compare(
            f"Sparse, {PAPER_CORPORA['lmsys']}",
            _report_statistics(published["sparse_lmsys"]),
            {},
            "not run: turns are labeled densely here, all of a conversation",
        )
    ]
    for corpus in inputs.run.all_corpora:
        paper = published.get(f"dense_{corpus}")
        found = {"ours": _count(counts[corpus])} if corpus in counts else {}
        name = f"Dense, {PAPER_CORPORA.get(corpus, corpus)}"
        rows.append(compare(name, paper and _report_statistics(paper), found, absent(corpus)))
    return Table(
        "Table 1",
        "Annotated feedback",
        "turn 2 to turn 5+: turns with feedback / labeled turns (percent; difference in points)",
        ("conversations", "turns", *(f"turn {turn}" for turn in TURNS)),
        tuple(rows),
        explain(about_data(inputs.run), f"labels by {inputs.labeler}, not by people"),
    )


def _report_statistics(paper: Mapping[str, Any]) -> list[Value]:
    sizes = [reported(paper[name]) for name in ("conversations", "turns")]
    return [*sizes, *(share(*paper[name]) for name in TURNS.values())]


def _count(counts: Mapping[str, Any]) -> list[Value]:
    sizes = [ours(counts[name], 0) for name in ("conversations", "turns")]
    return [
        *sizes,
        *(share(row["feedback"], count_labeled(row)) for row in counts["by_turn"].values()),
    ]


def _show_turns(inputs: Inputs) -> Table:
    rows = []
    for corpus in inputs.run.all_corpora:
        found = _list_turns(inputs.distributions.get(corpus, ()))
        rows.append(compare(name_corpus(corpus), None, found, absent(corpus)))
    return Table(
        "Figure 2",
        "Labels by user turn",
        f"percent of the labeled turns; {DRAWN}",
        FINE,
        tuple(rows),
        explain(about_data(inputs.run), f"labels by {inputs.labeler}, not by people"),
    )


def _list_turns(points: Points) -> dict[str, list[Value]]:
    found = {}
    for turn, members in groupby(points, key=lambda point: point["turn"]):
        cells = list(members)
        total = sum(int(cell["count"]) for cell in cells)
        found[f"ours, turn {turn} (n = {total})"] = [
            ours(100 * float(cell["share"]) if cell["share"] else None, 1) for cell in cells
        ]
    return found


def _show_labels(inputs: Inputs) -> Table:
    rows = []
    for corpus in inputs.run.all_corpora:
        counts = inputs.metrics["count_feedback"].get(corpus)
        found = _list_labels(counts) if counts else {}
        rows.append(compare(name_corpus(corpus), None, found, absent(corpus)))
    return Table(
        "Figure 6",
        "Labels in all",
        f"labeled turns; {DRAWN}",
        FINE,
        tuple(rows),
        explain(about_data(inputs.run), f"labels by {inputs.labeler}, not by people"),
    )


def _list_labels(counts: Mapping[str, Any]) -> dict[str, list[Value]]:
    found = [ours(counts["by_label"][name]["count"], 0) for name in FINE]
    return {f"ours (n = {count_labeled(counts)})": found}


def _compare_kappas(inputs: Inputs) -> Table:
    paper = inputs.published["agreement_cohen_kappa"]
    found = {
        f"ours, {name}": _list_kappas(metrics["annotators"])
        for name, metrics in inputs.metrics["evaluate_detector"].items()
    }
    published = [reported(paper[name]) for name in GRANULARITIES]
    rows = [compare("Two annotators", published, found, "not run: run.gold.gold_sets names no set")]
    for detector in inputs.run.detectors:
        beyond = {
            f"ours, {name}": _list_kappas(metrics[detector])
            for name, metrics in inputs.metrics["evaluate_detector"].items()
        }
        rows.append(compare(f"{detector} detector and gold (not in the paper)", None, beyond))
    return Table(
        "Kappa",
        "Agreement of two annotators",
        "Cohen's kappa, with a 95% interval over conversations",
        ("binary", "three-way", "fine"),
        tuple(rows),
        explain(about_data(inputs.run), "other annotators"),
    )


def _list_kappas(metrics: Mapping[str, Any]) -> list[Value]:
    kappas = [metrics["kappa"][name] for name in GRANULARITIES]
    return [ours_with_interval([k["kappa"], k["low"], k["high"]], 2) for k in kappas]
