import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_lens.errors import InputError

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")


def read_raw_rows(path: Path) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Stream the rows of a log: one file or a folder of shards; JSONL, JSON, CSV or Parquet.

    Yields:
        (source, row): `source` is `file:number`, 1-based (the line in JSONL, else the record),
        the file relative to the folder;
        `row` is None where a line of JSONL is no JSON object.

    Raises:
        InputError: the path is missing, holds no log, or a file cannot be read at all.
    """
    for file in _shards(path):
        name = file.relative_to(path) if path.is_dir() else file.name
        try:
            for number, row in _READERS[file.suffix](file):
                yield f"{name}:{number}", row
        except (OSError, ValueError, RecursionError, pa.ArrowException, csv.Error) as error:
            raise InputError(f"{file}: cannot be read as {file.suffix[1:]} ({error})") from None


def _shards(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"{path}: no such log; set corpora.<name>.path in params.yaml")
    if path.is_file() and path.suffix not in SUFFIXES:
        raise InputError(f"{path}: unknown kind of file; one of {', '.join(SUFFIXES)} is wanted")
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    shards = [file for file in files if file.is_file() and file.suffix in SUFFIXES]
    if not shards:
        raise InputError(f"{path}: holds no {', '.join(SUFFIXES)} file")
    return shards


def _read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    # not splitlines(): users' texts hold U+2028, which is no end of line in JSONL
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, _parse_line(line)


def _parse_line(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _read_json(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    rows = json.loads(path.read_bytes())
    if not isinstance(rows, list):
        raise ValueError("a list of conversations is wanted")
    for number, row in enumerate(rows, start=1):
        yield number, row if isinstance(row, dict) else None


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Columns that hold a list or an object are JSON inside the cell."""
    csv.field_size_limit(2**31 - 1)
    # strict: a quote that is never closed would swallow the rows behind it in silence
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines, strict=True), start=1):
            yield number, {key: _cell(value) for key, value in row.items() if key is not None}


def _cell(value: str | None) -> Any:
    if value and value[0] in "[{":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return {"": None, "True": True, "False": False}.get(value or "", value)


def _read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield number, row


_READERS = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
