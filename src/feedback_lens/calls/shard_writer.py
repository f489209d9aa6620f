"""Writes one shard of a snapshot, whole or not at all."""

import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_lens.calls.shards import PLAIN, SNAPSHOT, Row
from feedback_lens.errors import InputError
from feedback_lens.tables import BATCH_ROWS, replaced


def write_shard(rows: Iterator[Row], path: Path) -> int:
    """Write rows of `SNAPSHOT`; the file is on disk and in its place when this returns their count.

    Where no row has log-probabilities, the file has no column for them: older ones stay as they
    are, and whoever has an older version can read it.

    Raises:
        InputError: the file cannot be written; what was there before stays.
    """
    try:
        with replaced(path) as temporary:
            count = _write_rows(rows, temporary)
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error}), what was there before is whole; "
            "make room, or take another folder, and call this again"
        ) from None
    return count


def _write_rows(rows: Iterator[Row], path: Path) -> int:
    """Write rows, without the last column until one has a value in it; returns their number."""
    batches = iter(lambda: list(islice(rows, BATCH_ROWS)), [])
    count, scored = 0, None
    with _open_writer(path, PLAIN) as file:
        for batch in batches:
            if any(row["logprobs"] is not None for row in batch):
                scored = batch
                break
            count += _write_batch(batch, file)
    if scored is None:
        return count
    with replaced(path) as temporary, _open_writer(temporary, SNAPSHOT) as file:
        again = chain(_read_groups(path), [scored], batches)
        return sum(_write_batch(batch, file) for batch in again)


def _open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # without the CRC-32 of each page, every sixth flipped bit gives another text in silence
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def _write_batch(rows: list[Row], file: pq.ParquetWriter) -> int:
    """Write rows as one row group; columns that the file lacks are left out."""
    file.write_table(pa.Table.from_pylist(rows, schema=file.schema))
    return len(rows)


def _read_groups(path: Path) -> Iterator[list[Row]]:
    """The rows of each row group: the same groups give the same bytes."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group).to_pylist()
