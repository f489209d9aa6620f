"""Gold labels: CSV files `conversation_id,turn,labels`, several labels joined by `|`."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import FINE, reduce_labels

COLUMNS = ("conversation_id", "turn", "labels")
Key = tuple[str, int]


def read_gold(path: Path) -> dict[Key, tuple[str, ...]]:
    """The labels of each annotated user turn (2 or later), by conversation and turn.

    Raises:
        InputError: the file cannot be read, or a row of it is wrong: file, line and mend.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _collect(csv.DictReader(file, strict=True), path)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such gold set; annotate turns in it, or take it out of run.gold.gold_sets"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); save it as UTF-8") from None


def reduce_gold(gold: Mapping[Key, Iterable[str]]) -> dict[Key, str]:
    """The one label of each turn, by the priority of `reduce_labels`.

    Source: paper appendix B.
    """
    return {key: reduce_labels(labels) for key, labels in gold.items()}


def read_gold_sets(folder: Path) -> dict[Key, str]:
    """The label of each turn in all gold sets `<name>.csv` of a folder.

    Files `<name>_second.csv` hold a second annotator and are left out.

    Raises:
        InputError: the folder holds no gold set, or one cannot be read.
    """
    paths = sorted(p for p in folder.glob("*.csv") if not p.stem.endswith("_second"))
    if not paths:
        raise InputError(f"{folder}: no gold set; write one as <name>.csv")
    labels: dict[Key, str] = {}
    for path in paths:
        labels |= reduce_gold(read_gold(path))
    return labels


def _collect(reader: "csv.DictReader[str]", path: Path) -> dict[Key, tuple[str, ...]]:
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise InputError(
            f"{path}: line 1: no column {', '.join(sorted(missing))}; "
            f"the first line is {','.join(COLUMNS)}"
        )
    gold: dict[Key, tuple[str, ...]] = {}
    for row in reader:
        where = f"{path}: line {reader.line_num}"
        key = (_read_identifier(row["conversation_id"], where), _read_turn(row["turn"], where))
        if key in gold:
            raise InputError(
                f"{where}: conversation {key[0]!r}, turn {key[1]} stands twice; "
                "keep one row and join its labels with |"
            )
        gold[key] = _read_labels(row["labels"], where)
    return gold


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
