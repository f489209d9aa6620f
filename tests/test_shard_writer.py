"""Shards with log-probabilities and without, which are two forms of a file."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_lens.calls import shard_writer
from feedback_lens.calls.shard_writer import write_shard
from feedback_lens.calls.shards import PLAIN, SNAPSHOT, find_fault
from feedback_lens.calls.snapshot import (
    merge_snapshots,
    read_snapshot,
    verify_snapshot,
    write_snapshot,
)
from feedback_lens.errors import InputError
from snapshot_rows import ROWS, Row, describe, hashes, of_digit, reply, write_foreign


def scored(row: Row) -> Row:
    return row | {"logprobs": f'[["{row["text"]}",-0.5]]'}


def old(row: Row) -> Row:
    return {name: row[name] for name in PLAIN.names}


def test_the_column_is_there_where_a_reply_has_log_probabilities(tmp_path: Path) -> None:
    rows = [scored(row) if row["key"][0] == "3" else row for row in ROWS]
    write_snapshot(rows, tmp_path)
    for shard in tmp_path.iterdir():
        expected = SNAPSHOT if shard.name == "replies-3.parquet" else PLAIN
        assert pq.read_schema(shard).equals(expected)
    assert verify_snapshot(tmp_path) == []
    assert list(read_snapshot(tmp_path)) == rows


def test_a_shard_without_the_column_is_read_verified_and_added_to(tmp_path: Path) -> None:
    rows = of_digit("3")
    write_foreign([old(row) for row in rows], tmp_path / "replies-3.parquet", PLAIN)
    assert verify_snapshot(tmp_path) == []
    assert list(read_snapshot(tmp_path)) == rows
    new = [scored(row) for row in of_digit("5")]
    write_snapshot(new, tmp_path)
    assert list(read_snapshot(tmp_path)) == [*rows, *new]


def test_an_empty_column_is_as_good_as_none(tmp_path: Path) -> None:
    rows = of_digit("3")
    write_foreign(rows, tmp_path / "replies-3.parquet", SNAPSHOT)
    assert verify_snapshot(tmp_path) == []
    assert list(read_snapshot(tmp_path)) == rows
    write_snapshot(rows, tmp_path)
    assert pq.read_schema(tmp_path / "replies-3.parquet").equals(PLAIN)


def test_both_forms_merge_in_any_order_to_the_same_bytes(tmp_path: Path) -> None:
    # one half of each shard is of the older form, the other has log-probabilities
    write_snapshot(ROWS[::2], tmp_path / "plain")
    write_snapshot([scored(row) for row in ROWS[1::2]], tmp_path / "scored")
    for first, second in (("plain", "scored"), ("scored", "plain")):
        merge_snapshots([tmp_path / first, tmp_path / second], tmp_path / f"{first} first")
    assert hashes(tmp_path / "plain first") == hashes(tmp_path / "scored first")
    rows = [scored(row) if number % 2 else row for number, row in enumerate(ROWS)]
    assert list(read_snapshot(tmp_path / "plain first")) == rows
    merge_snapshots([tmp_path / "scored"], tmp_path / "plain")
    assert hashes(tmp_path / "plain") == hashes(tmp_path / "plain first")


def test_of_two_like_answers_the_one_with_log_probabilities_stays(tmp_path: Path) -> None:
    write_snapshot(ROWS, tmp_path / "plain")
    write_snapshot([scored(row) for row in ROWS], tmp_path / "scored")
    merge_snapshots([tmp_path / "plain", tmp_path / "scored"], tmp_path / "both")
    assert hashes(tmp_path / "both") == hashes(tmp_path / "scored")


@pytest.mark.parametrize("at", [[0], [3], [4], [9], [2, 7], []])
def test_the_bytes_do_not_depend_on_where_the_first_of_them_stands(
    at: Sequence[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # row groups of two rows: 0 and 1, 2 and 3, ...
    monkeypatch.setattr(shard_writer, "BATCH_ROWS", 2)
    rows = [
        scored(row) if number in at else row
        for number, row in enumerate(reply(f"{n}", f"text {n}") for n in range(10))
    ]
    assert write_shard(iter(rows), tmp_path / "replies-0.parquet") == 10
    file = pq.ParquetFile(tmp_path / "replies-0.parquet")
    form = SNAPSHOT if at else PLAIN
    assert (file.num_row_groups, file.schema_arrow.equals(form)) == (5, True)
    assert file.read().cast(form).to_pylist() == [{n: r[n] for n in form.names} for r in rows]
    # written in one go, as a file of which it was known from the first
    expected = tmp_path / "expected.parquet"
    with pq.ParquetWriter(expected, form, compression="zstd", write_page_checksum=True) as writer:
        for start in range(0, 10, 2):
            part = [{n: r[n] for n in form.names} for r in rows[start : start + 2]]
            writer.write_table(pa.Table.from_pylist(part, schema=form))
    assert expected.read_bytes() == (tmp_path / "replies-0.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "expected.parquet",
        "replies-0.parquet",
    ]


@pytest.mark.parametrize("wrong", ['[["other",-0.5]]', "no JSON", '[["yes",0.7]]', "[]"])
def test_log_probabilities_that_are_not_those_of_the_text_are_damage(
    wrong: str, tmp_path: Path
) -> None:
    row = reply("a") | {"logprobs": wrong}
    fault = "its log-probabilities are not those of its text"
    assert find_fault(row) == fault
    with pytest.raises(InputError, match=f"key {row['key']}: {fault}, so it is not packed"):
        write_snapshot([row], tmp_path / "new")
    shard = tmp_path / f"replies-{row['key'][0]}.parquet"
    write_foreign([row], shard)
    assert describe(verify_snapshot(tmp_path)) == [(shard.name, row["key"], fault)]


def test_a_row_without_the_name_of_the_column_has_none(tmp_path: Path) -> None:
    write_snapshot([old(row) for row in ROWS], tmp_path)
    assert list(read_snapshot(tmp_path)) == ROWS
