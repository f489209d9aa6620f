"""When and how often users give feedback, by annotators and by detectors: Table 1, Figures 2, 6."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from feedback_lens.feedback.labels import FINE
from feedback_lens.report.inputs import Inputs, count_labeled
from feedback_lens.report.names import (
    PAPER_GOLD_SETS,
    match_gold_set,
    name_gold_set,
)
from feedback_lens.report.plots.plot import Points
from feedback_lens.report.tables.reasons import (
    about_data,
    about_errors,
    about_labels,
    about_sparse,
    explain,
)
from feedback_lens.report.tables.values import (
    BLANK,
    DRAWN,
    Row,
    Table,
    Value,
    compare,
    interval,
    ours,
    ours_with_interval,
    percent,
    reported,
    share,
)

TURNS = {"2": "n2", "3": "n3", "4": "n4", "5+": "n5plus"}
SHARE = ("share", "low", "high")


def list_feedback_tables(inputs: Inputs) -> list[Table]:
    """Table 1 and Figures 2 and 6, each by annotators' labels, then as the detector finds it."""
    return [_compare_statistics(inputs), _show_turns(inputs), _show_labels(inputs)]


def _compare_statistics(inputs: Inputs) -> Table:
    return Table(
        "Table 1",
        "Annotated feedback",
        "turn 2 to turn 5+: turns with feedback / labeled turns (percent; difference in points), "
        "and the 95% interval of the percentage",
        ("conversations", "turns", *(f"turn {turn}" for turn in TURNS)),
        (*_compare_gold(inputs), *_count_detected(inputs)),
        _explain(inputs, about_sparse(inputs)),
    )


def _compare_gold(inputs: Inputs) -> Iterator[Row]:
    published = inputs.published["table1_annotation_stats"]
    counts = inputs.metrics["count_feedback_gold"]
    settings = inputs.axes.gold_sets
    for paper, title in PAPER_GOLD_SETS.items():
        found: dict[str, list[Value]] = {}
        for name, setting in settings.items():
            if match_gold_set(setting, name) == paper:
                found |= _count(counts[name], f"ours, by annotators ({name})", f"interval ({name})")
        missing = f"not run: gold_sets has no such set ({paper})"
        yield compare(title, _report_statistics(published[paper]), found, missing)
    for name, setting in settings.items():
        if match_gold_set(setting, name) is None:
            yield compare(_name_annotated(inputs, name), None, _count(counts[name]))


def _count_detected(inputs: Inputs) -> Iterator[Row]:
    for corpus, counts in inputs.metrics["count_feedback"].items():
        yield compare(_name_detected(inputs, corpus), None, _count(counts))


def _name_annotated(inputs: Inputs, gold_set: str) -> str:
    return f"{name_gold_set(inputs.axes, gold_set)}, by annotators"


def _name_detected(inputs: Inputs, corpus: str) -> str:
    return f"Corpus {corpus}, as the {inputs.axes.corpora[corpus]} detector finds it"


def _report_statistics(paper: Mapping[str, Any]) -> list[Value]:
    sizes = [reported(paper[name]) for name in ("conversations", "turns")]
    return [*sizes, *(share(*paper[name]) for name in TURNS.values())]


def _count(
    counts: Mapping[str, Any], shares: str = "ours", intervals: str = "interval"
) -> dict[str, list[Value]]:
    sizes = [ours(counts[name], 0) for name in ("conversations", "turns")]
    turns = counts["by_turn"].values()
    ends = [interval(percent(turn["low"]), percent(turn["high"]), 0) for turn in turns]
    return {
        shares: [*sizes, *(share(turn["feedback"], count_labeled(turn)) for turn in turns)],
        intervals: [BLANK, BLANK, *ends],
    }


def _show_turns(inputs: Inputs) -> Table:
    gold, corpora = (
        inputs.points(figure) for figure in ("turn_distribution_gold", "turn_distribution")
    )
    found = {_name_annotated(inputs, name): points for name, points in gold.items()}
    found |= {_name_detected(inputs, name): points for name, points in corpora.items()}
    return Table(
        "Figure 2",
        "Labels by user turn",
        f"percent of the labeled turns, with a 95% interval; {DRAWN}",
        FINE,
        tuple(compare(name, None, _list_turns(points)) for name, points in found.items()),
        _explain(inputs),
    )


def _list_turns(points: Points) -> dict[str, list[Value]]:
    found = {}
    for turn, members in groupby(points, key=lambda point: point["turn"]):
        cells = list(members)
        total = sum(int(cell["count"]) for cell in cells)
        found[f"turn {turn} (n = {total})"] = [
            _share({name: float(cell[name]) if cell[name] else None for name in SHARE})
            for cell in cells
        ]
    return found


def _show_labels(inputs: Inputs) -> Table:
    gold, corpora = inputs.metrics["count_feedback_gold"], inputs.metrics["count_feedback"]
    found = {_name_annotated(inputs, name): counts for name, counts in gold.items()}
    found |= {_name_detected(inputs, name): counts for name, counts in corpora.items()}
    return Table(
        "Figure 6",
        "Labels in all",
        f"labeled turns, and their percent with a 95% interval; {DRAWN}",
        FINE,
        tuple(compare(name, None, _list_labels(counts)) for name, counts in found.items()),
        _explain(inputs),
    )


def _list_labels(counts: Mapping[str, Any]) -> dict[str, list[Value]]:
    labels = [counts["by_label"][name] for name in FINE]
    return {
        f"turns (n = {count_labeled(counts)})": [ours(label["count"], 0) for label in labels],
        "percent": [_share(label) for label in labels],
    }


def _share(cell: Mapping[str, float | None]) -> Value:
    return ours_with_interval([percent(cell[name]) for name in SHARE], 0)


def _explain(inputs: Inputs, *more: str) -> str:
    names = (*inputs.axes.gold_sets, *inputs.axes.corpora)
    data, errors = about_data(inputs.axes, names), about_errors(inputs)
    return explain(data, "other annotators", about_labels(inputs), *more, errors)
