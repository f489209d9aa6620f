import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_lens.calls.request import OUTCOMES
from feedback_lens.calls.snapshot import (
    SNAPSHOT,
    Damage,
    read_snapshot,
    verify_snapshot,
    write_snapshot,
)
from snapshot_rows import ROWS, describe, of_digit, ordered, reply, write_foreign


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A snapshot of the 60 rows."""
    write_snapshot(ROWS, tmp_path / "recorded")
    return tmp_path / "recorded"


def damage_of(folder: Path) -> list[tuple[str, str | None, str]]:
    """What is wrong."""
    return describe(verify_snapshot(folder))


def test_a_whole_snapshot_has_no_damage(folder: Path) -> None:
    assert damage_of(folder) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"my notes " * 40,
        lambda content: content[:200] + bytes(64) + content[264:],
    ],
    ids=["empty", "cut in half", "a byte short", "no Parquet", "a hole"],
)
def test_a_shard_that_cannot_be_read_is_named(
    folder: Path, spoil: Callable[[bytes], bytes]
) -> None:
    shard = folder / "replies-a.parquet"
    shard.write_bytes(spoil(shard.read_bytes()))
    [(name, key, wrong)] = damage_of(folder)
    assert (name, key) == ("replies-a.parquet", None)
    assert wrong.startswith("cannot be read (")
    assert "\n" not in wrong


def test_a_link_into_an_empty_cache_is_damage(folder: Path) -> None:
    shard = folder / "replies-a.parquet"
    shard.unlink()
    shard.symlink_to(folder / "gone")
    [(name, _, wrong)] = damage_of(folder)
    assert name == "replies-a.parquet"
    assert "No such file" in wrong


@settings(max_examples=400)
@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_flipped_bit_changes_a_reply_in_silence(at: int, bit: int) -> None:
    with TemporaryDirectory() as place:
        shard = Path(place) / "replies-a.parquet"
        write_snapshot(of_digit("a"), Path(place))
        content = bytearray(shard.read_bytes())
        content[at % len(content)] ^= 1 << bit
        shard.write_bytes(content)
        if not verify_snapshot(Path(place)):
            assert list(read_snapshot(Path(place))) == of_digit("a")


def test_a_flipped_bit_of_a_text_is_found(folder: Path) -> None:
    text = "".join(random.Random(0).choices("abcdefgh", k=2000))
    row = reply("long", text)
    write_snapshot([row], folder, replace=True)
    shard = next(folder.iterdir())
    column = pq.ParquetFile(shard).metadata.row_group(0).column(3)
    content = bytearray(shard.read_bytes())
    # the only text lies in the page of the column's dictionary, which the data page follows
    content[(column.dictionary_page_offset + column.data_page_offset) // 2] ^= 1
    shard.write_bytes(content)
    [(_, key, wrong)] = damage_of(folder)
    assert key is None
    assert "CRC" in wrong


def test_other_columns_are_named(folder: Path) -> None:
    schema = pa.schema([("key", pa.string()), ("reply", pa.string())])
    write_foreign([{"key": "a", "reply": "b"}], folder / "replies-a.parquet", schema)
    [(name, _, wrong)] = damage_of(folder)
    assert name == "replies-a.parquet"
    assert wrong.endswith("(it has key, reply)")


def test_columns_of_another_type_are_named(folder: Path) -> None:
    schema = SNAPSHOT.set(5, pa.field("prompt_tokens", pa.int32()))
    write_foreign(of_digit("a"), folder / "replies-a.parquet", schema)
    assert [name for name, _, _ in damage_of(folder)] == ["replies-a.parquet"]


def test_swapped_shards_are_named_with_their_rows(folder: Path) -> None:
    three, five = folder / "replies-3.parquet", folder / "replies-5.parquet"
    three.rename(folder / "aside")
    five.rename(three)
    (folder / "aside").rename(five)
    counts = {digit: len(of_digit(digit)) for digit in "35"}
    assert damage_of(folder) == [
        (
            "replies-3.parquet",
            of_digit("5")[0]["key"],
            f"no key of shard '3' ({counts['5']} rows)",
        ),
        (
            "replies-5.parquet",
            of_digit("3")[0]["key"],
            f"no key of shard '5' ({counts['3']} rows)",
        ),
    ]


def test_rows_out_of_order_and_a_key_twice_are_named(folder: Path) -> None:
    first, second, *others = of_digit("3")
    write_foreign([second, first, *others], folder / "replies-3.parquet")
    assert damage_of(folder) == [
        ("replies-3.parquet", first["key"], "not in the order of the keys")
    ]
    write_foreign([first, second, second, *others], folder / "replies-3.parquet")
    assert damage_of(folder) == [("replies-3.parquet", second["key"], "this key stands twice")]


def test_a_key_twice_is_found_across_batches(tmp_path: Path) -> None:
    rows = ordered(
        row for row in (reply(str(number)) for number in range(20_000)) if row["key"][0] == "0"
    )[:1025]
    assert len(rows) == 1025
    # the 1,024th row closes a batch, and the next begins with it again
    write_foreign([*rows[:1024], *rows[1023:]], tmp_path / "replies-0.parquet")
    assert damage_of(tmp_path) == [
        ("replies-0.parquet", rows[1023]["key"], "this key stands twice")
    ]


def test_a_request_that_is_not_that_of_its_key_is_named(folder: Path) -> None:
    first, *others = of_digit("3")
    other = first | {"request": first["request"].replace('"m"', '"n"')}
    write_foreign([other, *others], folder / "replies-3.parquet")
    wrong = "the key is not the SHA-256 of the request"
    assert damage_of(folder) == [("replies-3.parquet", first["key"], wrong)]


@pytest.mark.parametrize(
    "request_text",
    ['{"model": "m"}', '{"b":1,"a":2}', '{"a":"é"}', "[]", "no JSON", "[" * 100_000],
    ids=["blanks", "unsorted", "not ASCII", "no object", "no JSON", "deep"],
)
def test_a_request_that_is_no_canonical_json_is_named(tmp_path: Path, request_text: str) -> None:
    key = hashlib.sha256(request_text.encode()).hexdigest()
    row = reply("a", key=key, request=request_text)
    write_foreign([row], tmp_path / f"replies-{key[0]}.parquet")
    [(_, found, wrong)] = damage_of(tmp_path)
    assert (found, wrong) == (key, "the request is not canonical JSON")


def test_empty_cells_where_none_may_be_are_named(tmp_path: Path) -> None:
    row = reply("a")
    digit = row["key"][0]
    for column in ("key", "request", "outcome"):
        write_foreign([row | {column: None}], tmp_path / f"replies-{digit}.parquet")
        assert damage_of(tmp_path)
    empty = row | dict.fromkeys(SNAPSHOT.names[3:])
    write_foreign([empty], tmp_path / f"replies-{digit}.parquet")
    assert damage_of(tmp_path) == []


def test_a_text_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    row = reply("a")
    table = pa.Table.from_pylist([row], schema=SNAPSHOT)
    text = pa.array([b"\xff"], pa.binary()).view(pa.string())
    path = tmp_path / f"replies-{row['key'][0]}.parquet"
    pq.write_table(table.set_column(3, SNAPSHOT.field("text"), text), path)
    [(_, _, wrong)] = damage_of(tmp_path)
    assert "UTF8" in wrong


def test_all_outcomes_are_known_and_no_other(tmp_path: Path) -> None:
    rows = ordered(reply(outcome, outcome=outcome) for outcome in OUTCOMES)
    write_snapshot(rows, tmp_path)
    assert damage_of(tmp_path) == []


def test_files_that_only_look_like_shards_are_named(folder: Path) -> None:
    names = ["replies-3 (copy).parquet", "replies-A.parquet", "replies-g.parquet"]
    for name in names:
        shutil.copy(folder / "replies-3.parquet", folder / name)
    (folder / "README.md").write_text("what this is")
    (folder / "replies-3.parquet.dvc").write_text("outs: []")
    reported: list[Damage] = []
    assert list(read_snapshot(folder, on_damage=reported.append)) == ROWS
    assert [found.shard.name for found in reported] == names
    # what a pack left that was killed disturbs no reader, but should not be shared
    left = ".replies-3.parquet.77.tmp"
    (folder / left).touch()
    assert [name for name, _, _ in damage_of(folder)] == [left, *names]


def test_a_key_is_the_sha_256_of_the_canonical_request() -> None:
    # what the tests above build on: a row that is whole by hand
    content = {"messages": [{"content": "q", "role": "user"}], "model": "m", "sampling": {}}
    request = json.dumps(content, separators=(",", ":"), sort_keys=True)
    assert reply("q")["request"] == request
    assert reply("q")["key"] == hashlib.sha256(request.encode()).hexdigest()
