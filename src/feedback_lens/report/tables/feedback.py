"""When and how often users give feedback, by annotators and by detectors: Table 1, Figures 2, 6."""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeVar

from feedback_lens.feedback.labels import FINE
from feedback_lens.report.inputs import Inputs, count_labeled
from feedback_lens.report.names import (
    PAPER_GOLD_SETS,
    match_gold_set,
    name_gold_set,
)
from feedback_lens.report.plots.plot import Points
from feedback_lens.report.tables.reasons import (
    about_annotators,
    about_errors,
    about_gold,
    about_labels,
    about_sparse,
    explain,
)
from feedback_lens.report.tables.rows import NO_NUMBERS, Reason, Row, Table, compare
from feedback_lens.report.tables.values import (
    DRAWN,
    Value,
    ours_with_interval,
    percent,
    reported,
    reported_share,
    share,
    size,
)

TURNS = {"2": "n2", "3": "n3", "4": "n4", "5+": "n5plus"}
SHARE = ("share", "low", "high")
DRAWN_SETS = ("dense_lmsys", "dense_wildchat")  # of Figures 2 and 6
Content = TypeVar("Content")


def list_feedback_tables(inputs: Inputs) -> list[Table]:
    """Table 1 and Figures 2 and 6, each by annotators' labels, then as the detector finds it."""
    return [_compare_statistics(inputs), _show_turns(inputs), _show_labels(inputs)]


def _compare_statistics(inputs: Inputs) -> Table:
    return Table(
        "Table 1",
        "Annotated feedback",
        "turn 2 to turn 5+: turns with feedback / labeled turns (percent, with its 95% interval; "
        "difference in points)",
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
                found[f"ours, by annotators ({name})"] = _count(counts[name])
        yield compare(title, _report_statistics(published[paper]), found, _miss(paper))
    for name, setting in settings.items():
        if match_gold_set(setting, name) is None:
            yield compare(_name_annotated(inputs, name), None, {"ours": _count(counts[name])})


def _miss(paper: str) -> str:
    return f"not run: gold_sets has no such set ({paper})"


def _count_detected(inputs: Inputs) -> Iterator[Row]:
    for corpus, counts in inputs.metrics["count_feedback"].items():
        yield compare(_name_detected(inputs, corpus), None, {"ours": _count(counts)})


def _name_annotated(inputs: Inputs, gold_set: str) -> str:
    return f"{name_gold_set(inputs.axes, gold_set)}, by annotators"


def _name_detected(inputs: Inputs, corpus: str) -> str:
    return f"Corpus {corpus}, as the {inputs.axes.corpora[corpus]} detector finds it"


def _report_statistics(paper: Mapping[str, Any]) -> list[Value]:
    sizes = [reported(paper[name]) for name in ("conversations", "turns")]
    return [*sizes, *(reported_share(*paper[name]) for name in TURNS.values())]


def _count(counts: Mapping[str, Any]) -> list[Value]:
    sizes = [size(counts[name]) for name in ("conversations", "turns")]
    return [*sizes, *(_describe_turn(turn) for turn in counts["by_turn"].values())]


def _describe_turn(turn: Mapping[str, Any]) -> Value:
    ends = [percent(turn[end]) for end in ("low", "high")]
    return share(turn["feedback"], count_labeled(turn), ends)


def _show_turns(inputs: Inputs) -> Table:
    gold, corpora = (
        inputs.points(figure) for figure in ("turn_distribution_gold", "turn_distribution")
    )
    return Table(
        "Figure 2",
        "Labels by user turn",
        f"percent of the labeled turns, with a 95% interval; {NO_NUMBERS}",
        FINE,
        tuple(_list_drawn(inputs, gold, corpora, _list_turns)),
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


def _list_drawn(
    inputs: Inputs,
    gold: Mapping[str, Content],
    corpora: Mapping[str, Content],
    describe: Callable[[Content], dict[str, list[Value]]],
) -> Iterator[Row]:
    """The dense sets, which the paper draws, then all else that we have."""
    matched = {name: match_gold_set(own, name) for name, own in inputs.axes.gold_sets.items()}
    for paper in DRAWN_SETS:
        found: dict[str, list[Value]] = {}
        for name in (name for name, own in matched.items() if own == paper):
            found |= {f"{line}, {name}": values for line, values in describe(gold[name]).items()}
        title = f"{PAPER_GOLD_SETS[paper]}, by annotators"
        yield compare(title, [DRAWN] * len(FINE), found, _miss(paper))
    for name in (name for name, own in matched.items() if own not in DRAWN_SETS):
        yield compare(_name_annotated(inputs, name), None, describe(gold[name]))
    for name, content in corpora.items():
        yield compare(_name_detected(inputs, name), None, describe(content))


def _show_labels(inputs: Inputs) -> Table:
    gold, corpora = inputs.metrics["count_feedback_gold"], inputs.metrics["count_feedback"]
    return Table(
        "Figure 6",
        "Labels in all",
        f"labeled turns, and their percent with a 95% interval; {NO_NUMBERS}",
        FINE,
        tuple(_list_drawn(inputs, gold, corpora, _list_labels)),
        _explain(inputs),
    )


def _list_labels(counts: Mapping[str, Any]) -> dict[str, list[Value]]:
    labels = [counts["by_label"][name] for name in FINE]
    return {
        f"turns (n = {count_labeled(counts)})": [size(label["count"]) for label in labels],
        "percent": [_share(label) for label in labels],
    }


def _share(cell: Mapping[str, float | None]) -> Value:
    return ours_with_interval([percent(cell[name]) for name in SHARE], 0)


def _explain(inputs: Inputs, *more: str) -> Reason:
    """Who labels the corpora is no cause: the paper has no such rows."""
    labels = about_labels(inputs).text
    return explain(
        about_gold(inputs), about_annotators(inputs), labels, *more, about_errors(inputs)
    )
