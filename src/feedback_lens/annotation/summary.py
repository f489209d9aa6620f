"""What an import says of itself, as lines for a terminal; ids and names only, no texts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from feedback_lens.analysis.intervals import Interval
from feedback_lens.annotation.agreement import Agreement
from feedback_lens.annotation.annotators import Labels, list_contradictions, list_gaps
from feedback_lens.annotation.exports import AnnotatedTask
from feedback_lens.feedback.labels import GRANULARITIES


def show_annotators(
    tasks: Sequence[AnnotatedTask],
    names: Mapping[str, str],
    imported: Mapping[str, Labels],
    annotators: Mapping[str, Labels],
    paths: Mapping[str, Path],
) -> list[str]:
    """A table of annotators: turns in the export, in all, tasks skipped, and the file."""
    skips = [names[one.annotator] for task in tasks for one in task.submissions if one.skipped]
    rows = [
        [
            name,
            str(len(imported.get(name, ()))),
            str(len(labels)),
            str(skips.count(name)),
            str(paths[name]),
        ]
        for name, labels in annotators.items()
    ]
    return _align(
        [["annotator", "turns in export", "turns in all", "tasks skipped", "file"], *rows]
    )


def show_gaps(
    tasks: Sequence[AnnotatedTask], names: Mapping[str, str], imported: Mapping[str, Labels]
) -> list[str]:
    """Lines on what an export lacks, and on labels that contradict each other."""
    untouched = sum(not task.submissions for task in tasks)
    lines = [f"{untouched} of {len(tasks)} tasks have no annotation"] if untouched else []
    return lines + list_gaps(tasks, names) + list_contradictions(imported)


def show_agreement(agreements: Sequence[Agreement]) -> list[str]:
    """A table of Cohen's kappa of each pair with its 95% interval, "-" where there is none."""
    rows = [
        [one.first, one.second, str(one.turns), *(_show(*one.kappas[g]) for g in GRANULARITIES)]
        for one in agreements
    ]
    header = ["kappa of", "and", "turns of both", *(g.replace("_", "-") for g in GRANULARITIES)]
    return _align([header, *rows]) if rows else []


def _show(kappa: float | None, interval: Interval) -> str:
    if kappa is None:
        return "-"
    low, high = interval
    return f"{kappa:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
