"""One shard of a snapshot: replies in Parquet, looked at before it is believed."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feedback_lens.calls.logprobs import find_logprobs_fault
from feedback_lens.calls.request import OUTCOMES
from feedback_lens.errors import InputError

SNAPSHOT = pa.schema(
    [
        ("key", pa.string()),
        ("request", pa.string()),
        ("outcome", pa.string()),
        ("text", pa.string()),
        ("served_model", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("answered_at", pa.string()),
        ("logprobs", pa.string()),
    ]
)
# the form of a shard in which no reply has log-probabilities, and of all that are older than these
PLAIN = SNAPSHOT.remove(SNAPSHOT.get_field_index("logprobs"))
RESTORE = (
    "move it away and restore it by `git checkout` or `dvc pull`; without a whole copy, go on "
    "without it"
)
_READ_ROWS = 1024
# what `find_fault` looks at
_CHECKED = ("key", "request", "outcome", "text", "logprobs")
# the last for a damaged name of a column
_UNREADABLE = (OSError, pa.ArrowException, UnicodeDecodeError)

Row = dict[str, Any]


@dataclass(frozen=True)
class Damage:
    """Something wrong in a file of a snapshot.

    `key` is that of the (first) row that is wrong, null where it is the file; `wrong` says what,
    and of how many rows; `mend` what to do.
    """

    shard: Path
    key: str | None
    wrong: str
    mend: str

    def __str__(self) -> str:
        row = "" if self.key is None else f"key {self.key}: "
        return f"{self.shard}: {row}{self.wrong}; {self.mend}"


def read_shard(path: Path, keys: frozenset[str] | None = None) -> Iterator[Row]:
    """The rows (under `keys`, where given) of a shard that `inspect_shard` found whole, in order.

    Raises:
        InputError: it cannot be read after all.
    """
    try:
        with _open(path) as file:
            absent = {} if file.schema_arrow.equals(SNAPSHOT) else {"logprobs": None}
            for batch in _read_batches(file):
                for row in _select(batch, keys).to_pylist():
                    yield row | absent
    except _UNREADABLE as error:
        raise InputError(str(_unreadable(path, error))) from None


def inspect_shard(path: Path, digit: str, keys: frozenset[str] | None = None) -> list[Damage]:
    """What is wrong with the shard of the keys that begin with `digit`; [] for a whole one.

    All of it is read; `find_fault` looks at the rows under `keys` (all, without it), which is what
    takes time. Each kind of damage comes once, with its first row.
    """
    try:
        with _open(path) as file:
            if not any(file.schema_arrow.equals(schema) for schema in (SNAPSHOT, PLAIN)):
                found = ", ".join(file.schema_arrow.names)
                wrong = f"its columns or their types are not those of a snapshot (it has {found})"
                return [Damage(path, None, wrong, RESTORE)]
            return [
                Damage(path, key, wrong if count == 1 else f"{wrong} ({count} rows)", RESTORE)
                for key, wrong, count in _count_faults(file, digit, keys)
            ]
    except _UNREADABLE as error:
        return [_unreadable(path, error)]


def find_fault(row: Row) -> str | None:
    """What is wrong with a row by itself: its key, request, outcome or log-probabilities."""
    if hashlib.sha256(str(row["request"]).encode()).hexdigest() != row["key"]:
        return "the key is not the SHA-256 of the request"
    if not _is_canonical(row["request"]):
        return "the request is not canonical JSON"
    if row["outcome"] not in OUTCOMES:
        return f"unknown outcome {row['outcome']!r}"
    return find_logprobs_fault(row.get("logprobs"), row["text"])


def count_rows(path: Path) -> int:
    """The number of rows of a shard; 0 where it cannot be read."""
    try:
        with _open(path) as file:
            return int(file.metadata.num_rows)
    except _UNREADABLE:
        return 0


def _count_faults(
    file: pq.ParquetFile, digit: str, keys: frozenset[str] | None
) -> Iterator[tuple[str | None, str, int]]:
    first: dict[str, str | None] = {}
    counts: Counter[str] = Counter()
    rows, last = 0, ""
    for batch in _read_batches(file):
        for wrong, key in (*_compare_keys(batch, digit, last), *_check_rows(batch, keys)):
            first.setdefault(wrong, key)
            counts[wrong] += 1
        rows, last = rows + len(batch), batch["key"][-1].as_py()
    yield from ((first[wrong], wrong, count) for wrong, count in counts.items())
    if rows != file.metadata.num_rows:
        yield None, f"{rows} rows can be read of {file.metadata.num_rows}", 1


def _compare_keys(
    batch: pa.RecordBatch, digit: str, last: str | None
) -> Iterator[tuple[str, str | None]]:
    """What is wrong with the keys of a batch that follows the key `last`."""
    keys = batch["key"]
    before = pa.concat_arrays([pa.array([last], pa.string()), keys.slice(0, len(keys) - 1)])
    own = pc.match_substring_regex(keys, f"^{digit}[0-9a-f]{{63}}$").fill_null(False)
    for key in keys.filter(pc.invert(own)).to_pylist():
        yield f"no key of shard {digit!r}", key
    for key in keys.filter(pc.less(keys, before)).to_pylist():
        yield "not in the order of the keys", key
    for key in keys.filter(pc.equal(keys, before)).to_pylist():
        yield "this key stands twice", key


def _check_rows(
    batch: pa.RecordBatch, keys: frozenset[str] | None
) -> Iterator[tuple[str, str | None]]:
    wanted = [name for name in _CHECKED if name in batch.schema.names]
    for row in _select(batch, keys).select(wanted).to_pylist():
        if wrong := find_fault(row):
            yield wrong, row["key"]


def _is_canonical(request: str) -> bool:
    try:
        content = json.loads(request)
    except (ValueError, RecursionError):
        return False
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return isinstance(content, dict) and canonical == request


def _open(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, page_checksum_verification=True)


def _read_batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    # each thread of Arrow's would keep memory of its own
    for batch in file.iter_batches(batch_size=_READ_ROWS, use_threads=False):
        batch.validate(full=True)  # else invalid UTF-8 is found only where it is used
        yield batch


def _select(batch: pa.RecordBatch, keys: frozenset[str] | None) -> pa.RecordBatch:
    if keys is None:
        return batch
    return batch.filter(pc.is_in(batch["key"], value_set=pa.array(keys, pa.string())))


def _unreadable(path: Path, error: Exception) -> Damage:
    return Damage(path, None, f"cannot be read ({' '.join(str(error).split())})", RESTORE)
