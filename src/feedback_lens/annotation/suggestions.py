"""Labels to show an annotator beforehand: of a detector, or of other annotators."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from feedback_lens.annotation.annotators import Labels
from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import read_gold
from feedback_lens.feedback.labels import FINE
from feedback_lens.tables import stream_rows


def read_suggestions(paths: Iterable[Path]) -> dict[str, Labels]:
    """The labels of each file by its name: a table of `label` (.parquet), or a CSV of gold labels.

    Turns that a detector left without a label have none.

    Raises:
        InputError: a file cannot be read, or two have one name.
    """
    suggested: dict[str, Labels] = {}
    for path in paths:
        if path.stem in suggested:
            raise InputError(
                f"{path}: another --labels is named {path.stem}, too, and annotators see the name; "
                "copy it to another name"
            )
        suggested[path.stem] = read_gold(path) if path.suffix == ".csv" else _read_table(path)
    return suggested


def check_suggested(
    tasks: Iterable[Mapping[str, Any]], paths: Iterable[Path]
) -> Iterator[Mapping[str, Any]]:
    """Stream tasks, and see that each file of suggestions has a label for one of them.

    Raises:
        InputError: a file has none, after the last task.
    """
    unused = {path.stem: path for path in paths}
    count = 0
    for task in tasks:
        count += 1
        for prediction in task["predictions"]:
            unused.pop(prediction["model_version"], None)
        yield task
    if count and unused:
        path = next(iter(unused.values()))
        raise InputError(
            f"{path}: no label for any turn of the {count} tasks; are these labels of another log? "
            "name others with --labels, or leave the file out"
        )


def _read_table(path: Path) -> Labels:
    labels: dict[tuple[str, int], tuple[str, ...]] = {}
    for row in stream_rows(path, ["conversation_id", "turn", "label"]):
        if row.keys() != {"conversation_id", "turn", "label"}:
            raise InputError(f"{path}: not a table of `label`; its columns are others")
        if row["label"] is None:
            continue
        if row["label"] not in FINE:
            raise InputError(f"{path}: label {row['label']!r} is none of {', '.join(FINE)}")
        labels[row["conversation_id"], row["turn"]] = (row["label"],)
    return labels
