"""Snapshots for tests: rows whole and wrong, and what lies in a folder."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_lens.calls.request import Sampling, ask_user
from feedback_lens.calls.snapshot import SNAPSHOT, Damage

Row = dict[str, Any]


def reply(question: str, text: str | None = "yes", **other: object) -> Row:
    request = ask_user("m", question, Sampling())
    values = (request.key, request.canonical, "answered", text, "m-1", 2, 3)
    cells = (*values, "2026-11-23T00:00:00+00:00", None)
    return dict(zip(SNAPSHOT.names, cells, strict=True)) | other


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row["key"]))


ROWS = ordered(reply(str(number), f"reply {number} 👋") for number in range(60))


def of_digit(digit: str) -> list[Row]:
    return [row for row in ROWS if row["key"][0] == digit]


def write_foreign(rows: list[Row], path: Path, schema: pa.Schema = SNAPSHOT) -> None:
    """A shard as another program might leave it."""
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def describe(damage: list[Damage]) -> list[tuple[str, str | None, str]]:
    return [(found.shard.name, found.key, found.wrong) for found in damage]
