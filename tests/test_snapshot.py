import random
import resource
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from feedback_lens.calls.snapshot import (
    Damage,
    read_snapshot,
    verify_snapshot,
    write_snapshot,
)
from feedback_lens.errors import InputError
from snapshot_rows import ROWS, describe, hashes, of_digit, ordered, reply, write_foreign

RECORDED = Path(__file__).parents[1] / "data" / "recorded"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A snapshot of the 60 rows."""
    write_snapshot(ROWS, tmp_path / "recorded")
    return tmp_path / "recorded"


def test_a_snapshot_is_sharded_by_the_first_hex_digit_of_the_key(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        f"replies-{row['key'][0]}.parquet" for row in ROWS
    }
    for shard in folder.iterdir():
        keys = pq.read_table(shard)["key"].to_pylist()
        assert keys == sorted(keys)
        assert {key[0] for key in keys} == {shard.stem[-1]}


def test_the_bytes_do_not_depend_on_how_the_rows_came_in(folder: Path, tmp_path: Path) -> None:
    for rows in (ROWS[1::2], ROWS[::2]):
        write_snapshot(rows, tmp_path / "in two steps")
    write_snapshot(ROWS, tmp_path / "in two steps", replace=True)
    write_snapshot(ROWS[1::2], tmp_path / "added")
    write_snapshot(ROWS[::2], tmp_path / "added")
    assert hashes(tmp_path / "in two steps") == hashes(folder)
    assert hashes(tmp_path / "added") == hashes(folder)


def test_a_snapshot_keeps_what_it_holds(folder: Path) -> None:
    new = reply("new")
    write_snapshot([new], folder)
    assert list(read_snapshot(folder)) == ordered([*ROWS, new])


def test_a_snapshot_is_replaced_when_told_so(folder: Path) -> None:
    new = reply("new")
    write_snapshot([new], folder, replace=True)
    assert [path.name for path in folder.iterdir()] == [f"replies-{new['key'][0]}.parquet"]
    assert list(read_snapshot(folder)) == [new]


def test_adding_to_a_snapshot_keeps_the_earlier_answer(folder: Path) -> None:
    row = ROWS[0]
    later = row | {"text": "later", "answered_at": "2026-11-24T00:00:00+00:00"}
    write_snapshot([later], folder)
    assert list(read_snapshot(folder)) == ROWS
    earlier = row | {"text": "earlier", "answered_at": "2026-11-22T00:00:00+00:00"}
    write_snapshot([earlier], folder)
    assert list(read_snapshot(folder)) == [earlier, *ROWS[1:]]


def test_no_rows_leave_a_snapshot_as_it_is(folder: Path) -> None:
    before = hashes(folder)
    for replace in (False, True):
        with pytest.raises(InputError, match="no replies to pack, so it stays as it is"):
            write_snapshot([], folder, replace=replace)
    assert hashes(folder) == before


def test_rows_out_of_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows are not ordered by key"):
        write_snapshot(reversed(ROWS), tmp_path / "recorded")


def test_a_row_that_would_make_a_damaged_shard_is_not_packed(tmp_path: Path) -> None:
    wrong = reply("a", key=reply("b")["key"])
    with pytest.raises(InputError, match=rf"key {wrong['key']}: .*store verify"):
        write_snapshot([wrong], tmp_path / "recorded")
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_damaged_shard_is_not_written_over(folder: Path) -> None:
    shard = folder / "replies-7.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    before = hashes(folder)
    with pytest.raises(InputError, match=r"replies-7\.parquet: cannot be read .*git checkout"):
        write_snapshot(ROWS, folder)
    assert hashes(folder) == before
    write_snapshot(ROWS, folder, replace=True)
    assert list(read_snapshot(folder)) == ROWS


def test_a_full_disk_is_one_error_and_leaves_the_shard_that_was_there(folder: Path) -> None:
    before = hashes(folder)
    size = max(path.stat().st_size for path in folder.iterdir())
    texts = random.Random(0)
    long = [reply(f"long {n}", texts.randbytes(size).hex()) for n in range(40)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        with pytest.raises(InputError, match=r"replies-.\.parquet: cannot be written .*make room"):
            write_snapshot(ordered(long), folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert hashes(folder) == before


def test_the_recorded_replies_of_the_project_are_whole_and_keep_their_format(
    tmp_path: Path,
) -> None:
    assert verify_snapshot(RECORDED) == []
    rows = list(read_snapshot(RECORDED))
    write_snapshot(rows, tmp_path)
    assert list(read_snapshot(tmp_path)) == rows
    for path in RECORDED.iterdir():
        assert pq.read_schema(tmp_path / path.name).equals(pq.read_schema(path))


def test_rows_come_back_in_the_order_of_their_keys(folder: Path) -> None:
    assert list(read_snapshot(folder)) == ROWS


def test_texts_of_any_kind_come_back(tmp_path: Path) -> None:
    texts = [None, "", "NUL \x00, line\u2028separator, 👋", "x" * 300_000]
    rows = ordered(reply(f"hostile {text!r:.20}", text) for text in texts)
    write_snapshot(rows, tmp_path)
    assert list(read_snapshot(tmp_path)) == rows
    assert verify_snapshot(tmp_path) == []


def test_a_shard_of_many_row_groups_comes_back_whole(tmp_path: Path) -> None:
    # about 80,000 / 16 = 5,000 rows: two row groups of at most 4,096, read 1,024 rows at a time
    rows = ordered(
        row for row in (reply(str(number)) for number in range(80_000)) if row["key"][0] == "0"
    )
    write_snapshot(rows, tmp_path)
    assert pq.ParquetFile(tmp_path / "replies-0.parquet").num_row_groups == 2
    assert verify_snapshot(tmp_path) == []
    assert list(read_snapshot(tmp_path)) == rows


def test_only_the_wanted_keys_are_read_and_only_from_their_shards(folder: Path) -> None:
    wanted = of_digit("3")[0]
    absent = next(row for row in map(reply, map(str, range(60, 999))) if row["key"][0] == "4")
    (folder / "replies-5.parquet").write_bytes(b"")
    assert list(read_snapshot(folder, frozenset({wanted["key"], absent["key"]}))) == [wanted]
    assert list(read_snapshot(folder, frozenset())) == []


def test_a_damaged_shard_is_reported_and_the_others_are_read(folder: Path) -> None:
    (folder / "replies-5.parquet").write_bytes(b"")
    reported: list[Damage] = []
    assert list(read_snapshot(folder, on_damage=reported.append)) == [
        row for row in ROWS if row["key"][0] != "5"
    ]
    assert [(found.shard, found.key) for found in reported] == [
        (folder / "replies-5.parquet", None)
    ]


def test_without_a_listener_a_damaged_shard_is_an_error(folder: Path) -> None:
    (folder / "replies-5.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"replies-5\.parquet: cannot be read .*dvc pull"):
        list(read_snapshot(folder))


def test_nothing_of_a_shard_is_taken_where_its_last_row_is_wrong(folder: Path) -> None:
    rows = of_digit("3")
    assert len(rows) > 1
    write_foreign([*rows[:-1], rows[-1] | {"outcome": "lost"}], folder / "replies-3.parquet")
    reported: list[Damage] = []
    read = list(read_snapshot(folder, on_damage=reported.append))
    assert [row for row in read if row["key"][0] == "3"] == []
    assert describe(reported) == [
        ("replies-3.parquet", rows[-1]["key"], "unknown outcome 'lost'"),
    ]


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    for use in (verify_snapshot, lambda folder: list(read_snapshot(folder))):
        with pytest.raises(InputError, match="nowhere: no such folder"):
            use(tmp_path / "nowhere")
