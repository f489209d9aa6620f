"""Packed snapshots: what was answered, in files that can be shared, checked and merged.

A snapshot is a folder of up to 16 shards `replies-<first hex digit of the key>.parquet`. A row is a
reply to a request, its key `key`; rows are ordered by key, and the same rows give the same bytes.
Of two answers to one request the one of the earlier `answered_at` stays (a null comes last), then
the one whose row is the smaller canonical JSON: so a merge is the same in any order.
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NoReturn

from feedback_lens.calls.shard_writer import write_shard
from feedback_lens.calls.shards import (
    SNAPSHOT,
    Damage,
    Row,
    count_rows,
    find_fault,
    inspect_shard,
    read_shard,
)
from feedback_lens.errors import InputError

__all__ = [
    "SNAPSHOT",
    "Damage",
    "count_replies",
    "list_shards",
    "merge_shards",
    "merge_snapshots",
    "read_snapshot",
    "verify_snapshot",
    "write_snapshot",
]

DIGITS = "0123456789abcdef"
SET_APART = "give it the name of the shard that it is, merge it, or move it away"
_KEY = itemgetter("key")

OnDamage = Callable[[Damage], None]


def list_shards(folder: Path) -> dict[str, Path]:
    """The shards of a snapshot by their digit, whole or not.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `dvc pull` fetches what others packed")
    there = {path.name for path in folder.iterdir()}
    shards = {digit: _locate(folder, digit) for digit in DIGITS}
    return {digit: path for digit, path in shards.items() if path.name in there}


def verify_snapshot(folder: Path) -> list[Damage]:
    """All that is wrong in a snapshot: of each shard, and files that only look like one."""
    found = _find_strange_files(folder, "*replies-*")
    for digit, path in list_shards(folder).items():
        found += inspect_shard(path, digit)
    return found


def read_snapshot(
    folder: Path, keys: frozenset[str] | None = None, on_damage: OnDamage | None = None
) -> Iterator[Row]:
    """The rows of `SNAPSHOT` (those under `keys`, where given), ordered by key.

    A damaged shard is reported and nothing of it is yielded. With `keys`, only the shards of their
    first digits are read; that takes as long for one key as for all, so ask once.

    Raises:
        InputError: a shard is damaged, or a file only looks like one, and there is no `on_damage`.
    """
    report = on_damage or _refuse
    for strange in _find_strange_files(folder):
        report(strange)
    for digit, path in list_shards(folder).items():
        wanted = None if keys is None else frozenset(key for key in keys if key[:1] == digit)
        if wanted is None or wanted:
            if damage := inspect_shard(path, digit, wanted):
                report(damage[0])
            else:
                yield from read_shard(path, wanted)


def write_snapshot(rows: Iterable[Row], folder: Path, replace: bool = False) -> None:
    """Add rows of `SNAPSHOT`, ordered by key, to a snapshot; with `replace`, it holds just them.

    Each shard is written whole or not at all; memory holds one batch of rows.

    Raises:
        InputError: there are no rows, or a damaged shard would be lost: the snapshot stays as it
            is. Or a row is wrong (`find_fault`), or a file cannot be written.
        ValueError: the rows are not ordered by key.
    """
    if folder.is_dir() and not replace:
        for digit, path in list_shards(folder).items():
            for damage in inspect_shard(path, digit):
                _refuse(damage)
    written: set[str] = set()
    for digit, some in groupby(_check(rows), key=lambda row: str(row["key"])[0]):
        path = _locate(folder, digit)
        kept = read_shard(path) if path.exists() and not replace else ()
        write_shard(_unite([some, kept]), path)
        written.add(digit)
    if not written:
        raise InputError(
            f"{folder}: there are no replies to pack, so it stays as it is; "
            "look at `feedback-lens store stats` and FEEDBACK_LENS_STORE"
        )
    for digit in set(DIGITS) - written if replace else ():
        _locate(folder, digit).unlink(missing_ok=True)


def merge_snapshots(
    folders: Sequence[Path], target: Path, on_damage: OnDamage | None = None
) -> int:
    """Write the union of the snapshots, and of what `target` holds, to `target`.

    A damaged shard is reported and left out; where it is the target's own, it is not touched.
    Returns the number of rows that were written.

    Raises:
        InputError: a source is no folder; a file cannot be written; a shard is damaged, or a file
            only looks like one, and there is no `on_damage`.
    """
    report = on_damage or _refuse
    own = [target] if target.is_dir() else []
    sources = list({folder.resolve(): folder for folder in (*folders, *own)}.values())
    for folder in sources:
        for strange in _find_strange_files(folder):
            report(strange)
    count = 0
    for digit in DIGITS:
        paths = [shards[digit] for shards in map(list_shards, sources) if digit in shards]
        damage = {path: inspect_shard(path, digit) for path in paths}
        for found in filter(None, damage.values()):
            report(found[0])
        whole = [path for path, found in damage.items() if not found]
        if whole and not damage.get(_locate(target, digit)):
            count += merge_shards(whole, _locate(target, digit))
    return count


def merge_shards(paths: Sequence[Path], target: Path) -> int:
    """Write the union of whole shards of one digit to `target`, which may be one of them."""
    return write_shard(_unite([read_shard(path) for path in paths]), target)


def count_replies(folder: Path) -> int:
    """The number of rows of the shards that can be read."""
    return sum(count_rows(path) for path in list_shards(folder).values())


def _unite(sources: Iterable[Iterable[Row]]) -> Iterator[Row]:
    for _, answers in groupby(heapq.merge(*sources, key=_KEY), key=_KEY):
        first, *others = answers
        yield min([first, *others], key=_rank) if others else first


def _rank(row: Row) -> tuple[bool, str, str]:
    answered_at = row["answered_at"]
    return answered_at is None, answered_at or "", json.dumps(row, sort_keys=True)


def _check(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, as long as they are ordered and such that the shard will be taken for whole."""
    last = ""
    for row in rows:
        if wrong := find_fault(row):
            raise InputError(
                f"key {row['key']}: {wrong}, so it is not packed; "
                "look at `feedback-lens store verify` and docs/store.md"
            )
        if row["key"] <= last:
            raise ValueError(f"key {row['key']} comes after {last}: rows are not ordered by key")
        last = row["key"]
        # each column, so that rows compare alike
        yield {name: row.get(name) for name in SNAPSHOT.names}


def _locate(folder: Path, digit: str) -> Path:
    return folder / f"replies-{digit}.parquet"


def _find_strange_files(folder: Path, pattern: str = "replies-*.parquet") -> list[Damage]:
    shards = list_shards(folder).values()
    strange = set(folder.glob(pattern)) - set(shards) - set(folder.glob("*.dvc"))
    return [
        Damage(path, None, "looks like a shard and is none", SET_APART) for path in sorted(strange)
    ]


def _refuse(damage: Damage) -> NoReturn:
    raise InputError(str(damage))
