"""The labels of each annotator in an export, under the name of their file."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from feedback_lens.annotation.exports import AnnotatedTask
from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import GOLD, Key
from feedback_lens.feedback.labels import NEUTRAL

Labels = Mapping[Key, tuple[str, ...]]


def name_annotators(known: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """The name of each annotator's file: the one `given`, else made of e-mail address or number.

    Raises:
        InputError: a name is not in snake_case, is `gold`, or stands for two annotators; or one
            is given to somebody who is not known, unless nobody is.
    """
    annotators = sorted(set(known))
    _check_known(annotators, given)
    names: dict[str, str] = {}
    for annotator in annotators:
        name = given.get(annotator) or _make_name(annotator)
        mend = f"give another with --name {annotator}=NAME"
        if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name) or name == GOLD:
            raise InputError(f"annotator {annotator}: name {name!r} is not usable; {mend}")
        if name in names.values():
            raise InputError(f"annotator {annotator}: name {name!r} is taken; {mend}")
        names[annotator] = name
    return names


def collect_labels(
    tasks: Iterable[AnnotatedTask], names: Mapping[str, str], path: Path
) -> dict[str, dict[Key, tuple[str, ...]]]:
    """The labels of each turn by the name of the annotator; those with none are left out.

    Raises:
        InputError: an annotator labeled a turn twice, in two ways.
    """
    collected: dict[str, dict[Key, tuple[str, ...]]] = {}
    sources: dict[tuple[str, Key], str] = {}
    for annotator, key, labels, task in _list_labels(tasks):
        mine = collected.setdefault(names[annotator], {})
        if mine.setdefault(key, labels) != labels:
            raise InputError(
                f"{path}: task {task}: annotator {annotator} says {'|'.join(labels)} of turn "
                f"{key[1]}, and {'|'.join(mine[key])} in task {sources[annotator, key]}; delete "
                "one of the two annotations in Label Studio, and export again"
            )
        sources.setdefault((annotator, key), task)
    return collected


def list_gaps(tasks: Iterable[AnnotatedTask], names: Mapping[str, str]) -> list[str]:
    """A line for each submission with turns that have no label."""
    return [
        f"task {task.task}: {names[one.annotator]} left out turn {_join(missing)}"
        for task in tasks
        for one in task.submissions
        if not one.skipped and (missing := [turn for turn in task.turns if turn not in one.labels])
    ]


def list_contradictions(annotators: Mapping[str, Labels]) -> list[str]:
    """A line for each turn that an annotator says to be no feedback, and feedback."""
    return [
        f"conversation {identifier!r}, turn {turn}: {name} says {'|'.join(labels)}"
        for name, mine in annotators.items()
        for (identifier, turn), labels in mine.items()
        if NEUTRAL in labels and len(labels) > 1
    ]


def _list_labels(
    tasks: Iterable[AnnotatedTask],
) -> Iterator[tuple[str, Key, tuple[str, ...], str]]:
    for task in tasks:
        for one in task.submissions:
            for turn, labels in one.labels.items():
                yield one.annotator, (task.conversation_id, turn), labels, task.task


def _check_known(annotators: Sequence[str], given: Mapping[str, str]) -> None:
    strangers = [annotator for annotator in given if annotator not in annotators]
    # of an export that nobody annotated yet there is more to say than this
    if annotators and strangers:
        raise InputError(
            f"--name {strangers[0]}={given[strangers[0]]}: the export has no annotator "
            f"{strangers[0]}, only {', '.join(annotators)}; mend the option or leave it out"
        )


def _make_name(annotator: str) -> str:
    if annotator.isdecimal():
        return f"annotator_{annotator}"
    return re.sub(r"[^a-z0-9]+", "_", annotator.lower()).strip("_")


def _join(turns: Iterable[int]) -> str:
    return ", ".join(map(str, turns))
