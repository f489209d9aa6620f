"""Gold labels: CSV files `conversation_id,turn,labels`, several labels joined by `|`."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import FINE, reduce_labels

COLUMNS: Final = ("conversation_id", "turn", "labels")
GOLD: Final = "gold"
Key = tuple[str, int]


@dataclass(frozen=True)
class Annotation:
    """What one annotator said of a user turn; `source` is the file and line that says so."""

    labels: tuple[str, ...]
    source: str


def read_annotators(folder: Path) -> dict[str, dict[Key, Annotation]]:
    """The annotations of each annotator `<name>.csv` of a folder, those of `gold.csv` first.

    Raises:
        InputError: the folder holds no `gold.csv`, or a file cannot be read.
    """
    others = sorted(path for path in folder.glob("*.csv") if path.stem != GOLD)
    paths = [folder / f"{GOLD}.csv", *others]
    return {path.stem: read_annotations(path) for path in paths}


def read_annotations(path: Path) -> dict[Key, Annotation]:
    """The annotations of a file, by conversation and user turn (2 or later).

    Raises:
        InputError: the file cannot be read, or a row of it is wrong: file, line and mend.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _collect(csv.DictReader(file, strict=True), path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{path}: no such gold labels; annotate turns in it, or mend gold_sets.<name>.labels "
            "in params.yaml"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); save it as UTF-8") from None


def read_gold(path: Path) -> dict[Key, tuple[str, ...]]:
    """The labels of each annotated turn, as `read_annotations` reads them."""
    return {key: annotation.labels for key, annotation in read_annotations(path).items()}


def reduce_gold(gold: Mapping[Key, Iterable[str]]) -> dict[Key, str]:
    """The one label of each turn, by the priority of `reduce_labels`.

    Source: paper appendix B.
    """
    return {key: reduce_labels(labels) for key, labels in gold.items()}


def check_turns(annotations: Mapping[Key, Annotation], turns: Mapping[str, int], log: Path) -> None:
    """Raise InputError where an annotation speaks of a conversation or turn that a log lacks.

    `turns` tells how many user turns each well-formed conversation of the log has.
    """
    for (identifier, turn), annotation in annotations.items():
        if identifier not in turns:
            problem = f"no well-formed conversation {identifier!r}"
        elif turn > turns[identifier]:
            problem = f"no turn {turn} in conversation {identifier!r}, which has "
            problem += f"{turns[identifier]} user turns"
        else:
            continue
        raise InputError(
            f"{annotation.source}: {log} holds {problem}; take the row out, or mend "
            "gold_sets.<name>.path in params.yaml"
        )


def _collect(reader: "csv.DictReader[str]", path: Path) -> dict[Key, Annotation]:
    reader.fieldnames = _drop_unnamed(reader.fieldnames or ())
    missing = set(COLUMNS) - set(reader.fieldnames)
    if missing:
        raise InputError(
            f"{path}: line 1: no column {', '.join(sorted(missing))}; "
            f"the first line is {','.join(COLUMNS)}, with commas between"
        )
    annotations: dict[Key, Annotation] = {}
    for key, annotation in _read_lines(reader, path):
        if key in annotations:
            raise InputError(
                f"{annotation.source}: conversation {key[0]!r}, turn {key[1]} stands twice; "
                "keep one row and join its labels with |"
            )
        annotations[key] = annotation
    return annotations


def _drop_unnamed(names: Sequence[str]) -> list[str]:
    # spreadsheet programs pad the first line to the width of the longest row
    named = [place for place, name in enumerate(names, start=1) if name.strip()]
    return list(names[: max(named, default=0)])


def _read_lines(reader: "csv.DictReader[str]", path: Path) -> Iterator[tuple[Key, Annotation]]:
    wanted = len(reader.fieldnames or ())
    for row in reader:
        where = f"{path}: line {reader.line_num}"
        surplus = row.get(reader.restkey, ())
        if any(cell.strip() for cell in surplus):
            raise InputError(
                f"{where}: {wanted + len(surplus)} cells, {wanted} wanted; join labels with |"
            )
        key = (_read_identifier(row["conversation_id"], where), _read_turn(row["turn"], where))
        yield key, Annotation(_read_labels(row["labels"], where), where)


def _read_identifier(text: str | None, where: str) -> str:
    if not text:
        raise InputError(f"{where}: no conversation_id; fill it in or take the row out")
    return text


def _read_turn(text: str | None, where: str) -> int:
    try:
        turn = int(text or "")
    except ValueError:
        turn = 0
    if turn < 2:
        raise InputError(
            f"{where}: turn {text!r}; the 1-based number of a user turn from 2 on is wanted"
        )
    return turn


def _read_labels(text: str | None, where: str) -> tuple[str, ...]:
    labels = tuple(label.strip() for label in (text or "").split("|"))
    unknown = [label for label in labels if label not in FINE]
    if unknown:
        raise InputError(
            f"{where}: label {unknown[0]!r} is unknown; one of {', '.join(FINE)} is wanted, "
            "several joined by |"
        )
    return labels
