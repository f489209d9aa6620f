"""A folder of gold labels: `gold.csv`, one CSV for each other annotator, and whose gold it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedback_lens.annotation.annotators import Labels
from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import COLUMNS, GOLD, read_gold
from feedback_lens.tables import read_json, replaced, write_json

OWNER: Final = "gold.json"


@dataclass(frozen=True)
class GoldFolder:
    """The labels of each annotator by name; those of `owner` are the gold, null before any are.

    The owner of a `gold.csv` that no `gold.json` speaks of is named `gold`.
    """

    annotators: Mapping[str, Labels]
    owner: str | None


def read_folder(folder: Path) -> GoldFolder:
    """What a folder holds; nothing where it is not there yet.

    Raises:
        InputError: a file cannot be read, or `<owner>.csv` stands beside the owner's `gold.csv`.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    owner = None
    if gold := paths.pop(GOLD, None):
        owner = _read_owner(folder / OWNER)
        if owner in paths:
            raise InputError(
                f"{folder}: {owner}.csv stands beside gold.csv, which is {owner}'s by {OWNER}; "
                "take one of the two away"
            )
        paths[owner] = gold
    return GoldFolder({name: read_gold(path) for name, path in paths.items()}, owner)


def add_labels(
    stored: Mapping[str, Labels], imported: Mapping[str, Labels], replace: bool, folder: Path
) -> dict[str, Labels]:
    """Stored and imported labels together; a stored one gives way only where `replace` says so.

    Raises:
        InputError: an annotator's stored label of a turn is another than the imported one.
    """
    for name in imported if not replace else ():
        old, new = stored.get(name, {}), imported[name]
        changed = [key for key in new if key in old and set(old[key]) != set(new[key])]
        if changed:
            key = changed[0]
            raise InputError(
                f"{folder}: {name} has other labels in {len(changed)} turns than in the export, "
                f"as in turn {key[1]} of conversation {key[0]!r}: {'|'.join(old[key])}, now "
                f"{'|'.join(new[key])}; --replace takes those of the export"
            )
    names = sorted({*stored, *imported})
    return {name: {**stored.get(name, {}), **imported.get(name, {})} for name in names}


def choose_owner(annotators: Mapping[str, Labels], owner: str | None, asked: str | None) -> str:
    """Whose labels are the gold: the one asked for, else as before, else who labeled most turns.

    Raises:
        InputError: nobody has the name asked for, or nobody knows whose the present gold is.
    """
    if asked is None:
        return owner or min(annotators, key=lambda name: (-len(annotators[name]), name))
    if asked not in annotators:
        raise InputError(f"--adjudicated {asked}: annotators are {', '.join(sorted(annotators))}")
    if owner == GOLD != asked:
        raise InputError(
            f"--adjudicated {asked}: there is a gold.csv, and no {OWNER} that says whose it is; "
            "rename it to <annotator>.csv first"
        )
    return asked


def write_folder(folder: Path, annotators: Mapping[str, Labels], owner: str) -> dict[str, Path]:
    """Write a CSV for each annotator; where each one's labels are now."""
    names = {name: GOLD if name == owner else name for name in annotators}
    paths = {name: folder / f"{file}.csv" for name, file in names.items()}
    for name in sorted(annotators, key=lambda name: name == owner):
        _write_labels(annotators[name], paths[name])
    if owner != GOLD:
        write_json({"annotator": owner}, folder / OWNER)
        (folder / f"{owner}.csv").unlink(missing_ok=True)
    return paths


def _write_labels(labels: Labels, path: Path) -> None:
    with (
        replaced(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(",".join(COLUMNS) + "\n")
        for (identifier, turn), found in sorted(labels.items()):
            file.write(f"{_quote(identifier)},{turn},{'|'.join(found)}\n")


def _quote(identifier: str) -> str:
    # csv.writer leaves a lone carriage return bare, which ends a row for csv.reader
    if not re.search(r'[",\r\n]', identifier):
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def _read_owner(path: Path) -> str:
    if not path.is_file():
        return GOLD
    owner = read_json(path).get("annotator")
    if not isinstance(owner, str) or owner == GOLD:
        raise InputError(f'{path}: {{"annotator": NAME}} is wanted, the owner of gold.csv')
    return owner
