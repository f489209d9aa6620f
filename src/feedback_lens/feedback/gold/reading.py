"""Reading gold sets: a log, and the labels beside it or inside it."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import GOLD, Key, check_turns, read_annotators
from feedback_lens.feedback.gold.published import align_entries, read_entries
from feedback_lens.feedback.gold.sets import GoldSet
from feedback_lens.logs.conversation import Conversation
from feedback_lens.logs.formats import MalformedRow
from feedback_lens.logs.ingest import Filters, Ingest
from feedback_lens.logs.rawfiles import read_raw_rows

CARRIES_LABELS: Final = "multiturn_feedback"
KEEP_ALL: Final = Filters((), 1, "keep", False, False, sys.maxsize)
Rows = Iterator[tuple[str, dict[str, Any] | None]]


class Selection:
    """The rows of a published log that are of one setting and source; null takes all.

    `row` is the row that was taken last; `others` counts those passed over.
    """

    def __init__(self, setting: str | None, source: str | None) -> None:
        self.wanted = {"eval_type": setting, "dataset_source": source}
        self.row: Mapping[str, Any] = {}
        self.others = 0

    def pick(self, rows: Rows) -> Rows:
        """Stream the rows that are wanted, and those that are no objects."""
        for place, row in rows:
            if row is None or self._wants(row):
                self.row = row or {}
                yield place, row
            else:
                self.others += 1

    def _wants(self, row: Mapping[str, Any]) -> bool:
        return all(value in (None, row.get(name)) for name, value in self.wanted.items())


def read_gold_set(
    log: Path, log_format: str, labels: Path, setting: str, source: str | None, name: str
) -> tuple[GoldSet, dict[str, Any]]:
    """The annotated conversations of a log, and the counts of what was read.

    `labels` is a folder of CSV files, one an annotator (`gold.csv` is the gold), or the log itself
    where its format carries labels. Of such a log only rows of the setting are taken, and only
    those of one `source` (`lmsys` or `wildchat`) unless it is null.

    The counts are those of `GoldSet.count`, with `rows`, `other_rows` (of another setting or
    source) and `rejected` by reason. Where the log carries its labels there follow `alignment`
    (its entries by outcome) and `turns_without_label`.

    Raises:
        InputError: a file cannot be read, no turn is labeled, an annotation speaks of a
            conversation or turn that the log lacks, or a `source` is given for a format without.
    """
    if source is not None and log_format != CARRIES_LABELS:
        raise InputError(
            f"gold_sets.{name}.source: the format {log_format} has no sources; take it out"
        )
    # one path may be spelled in several ways
    inside = labels.resolve() == log.resolve()
    if inside and log_format != CARRIES_LABELS:
        raise InputError(
            f"gold_sets.{name}.labels: a log of format {log_format!r} carries no labels; name a "
            f"folder with {GOLD}.csv"
        )
    selected = Selection(setting if log_format == CARRIES_LABELS else None, source)
    ingest = Ingest(selected.pick(read_raw_rows(log)), log_format, name, KEEP_ALL)
    if inside:
        gold_set, aligned = _read_labeled(ingest, selected, setting)
    else:
        gold_set, aligned = _read_annotated(ingest, log, labels, setting), {}
    if not gold_set.annotations[GOLD]:
        raise InputError(
            f"gold_sets.{name}: {labels} gives no turn a label ({ingest.kept} conversations of "
            f"setting {setting!r} read, {selected.others} rows of another setting or source); "
            "mend the entry in params.yaml"
        )
    counts = {"other_rows": selected.others, **ingest.counts(), **aligned, **gold_set.count()}
    del counts["kept"], counts["kept_user_turns"]
    return gold_set, counts


def _read_annotated(ingest: Ingest, log: Path, folder: Path, setting: str) -> GoldSet:
    annotators = read_annotators(folder)
    annotated = {identifier for labels in annotators.values() for identifier, _ in labels}
    # a log may be far larger than its gold: detectors label no more than is compared
    conversations = {c.conversation_id: c for c in ingest if c.conversation_id in annotated}
    turns = {identifier: len(c.user_turns) for identifier, c in conversations.items()}
    for annotations in annotators.values():
        check_turns(annotations, turns, log)
    labels = {
        annotator: {key: annotation.labels for key, annotation in annotations.items()}
        for annotator, annotations in annotators.items()
    }
    return GoldSet(setting, conversations, labels)


def _read_labeled(
    ingest: Ingest, selected: Selection, setting: str
) -> tuple[GoldSet, dict[str, Any]]:
    conversations: dict[str, Conversation] = {}
    gold: dict[Key, tuple[str, ...]] = {}
    outcomes: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    unlabeled = 0
    for conversation in ingest:
        try:
            entries = read_entries(selected.row)  # ingest takes one row at a time
        except MalformedRow as reason:
            rejected[str(reason)] += 1
            continue
        alignment = align_entries(conversation, entries, setting)
        outcomes.update(alignment.outcomes)
        unlabeled += len(conversation.user_turns) - 1 - len(alignment.labels)
        for turn, labels in sorted(alignment.labels.items()):
            gold[conversation.conversation_id, turn] = labels
            conversations[conversation.conversation_id] = conversation
    rejected.update(ingest.counts()["rejected"])
    return GoldSet(setting, conversations, {GOLD: gold}), {
        "rejected": dict(sorted(rejected.items())),
        "alignment": dict(outcomes),
        "turns_without_label": unlabeled,
    }
