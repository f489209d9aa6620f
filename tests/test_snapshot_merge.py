from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_lens.calls.request import OUTCOMES
from feedback_lens.calls.snapshot import (
    Damage,
    merge_snapshots,
    read_snapshot,
    write_snapshot,
)
from feedback_lens.errors import InputError
from snapshot_rows import ROWS, Row, hashes, ordered, reply


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A snapshot of the 60 rows."""
    write_snapshot(ROWS, tmp_path / "recorded")
    return tmp_path / "recorded"


def test_a_merge_is_the_union_and_may_go_into_one_of_its_sources(tmp_path: Path) -> None:
    write_snapshot(ROWS[:40], tmp_path / "a")
    write_snapshot(ROWS[20:], tmp_path / "b")
    assert merge_snapshots([tmp_path / "a", tmp_path / "b"], tmp_path / "new") == 60
    assert merge_snapshots([tmp_path / "b"], tmp_path / "a") == 60
    write_snapshot(ROWS, tmp_path / "all")
    assert hashes(tmp_path / "new") == hashes(tmp_path / "a") == hashes(tmp_path / "all")


def test_a_merge_keeps_what_the_target_holds(folder: Path, tmp_path: Path) -> None:
    new = reply("new")
    write_snapshot([new], tmp_path / "other")
    merge_snapshots([tmp_path / "other"], folder)
    assert list(read_snapshot(folder)) == ordered([*ROWS, new])


def test_of_two_answers_the_earlier_stays_then_the_smaller_then_one_with_a_time(
    tmp_path: Path,
) -> None:
    at = "2026-11-23T00:00:0{}+00:00"
    answers = [
        reply("q", "z", answered_at=at.format(1)),
        reply("q", "b", answered_at=at.format(2)),
        reply("q", "c", answered_at=at.format(2)),
        reply("q", "a", answered_at=None),
    ]
    for number, row in enumerate(answers):
        write_snapshot([row], tmp_path / str(number))
    for first in range(3):
        for second in range(first + 1, 4):
            folders = [tmp_path / str(second), tmp_path / str(first)]
            merge_snapshots(folders, tmp_path / f"{first}{second}")
            assert list(read_snapshot(tmp_path / f"{first}{second}")) == [answers[first]]


answers = st.builds(
    reply,
    st.sampled_from([str(number) for number in range(8)]),
    st.sampled_from([None, "yes", "no", "é"]),
    outcome=st.sampled_from(OUTCOMES[:2]),
    prompt_tokens=st.sampled_from([None, 1, 10, 9]),
    answered_at=st.sampled_from(
        [None, "2026-11-23T00:00:00+00:00", "2026-11-23T00:00:01+00:00"],
    ),
)
# a snapshot as rows by key: keys are unique in one
snapshots = st.lists(answers, max_size=6).map(
    lambda rows: ordered({row["key"]: row for row in rows}.values())
)


class Bench:
    """Snapshots in a folder of their own, merged by their names."""

    def __init__(self, place: str, **contents: list[Row]) -> None:
        self.place = Path(place)
        for name, rows in contents.items():
            (self.place / name).mkdir()
            if rows:
                write_snapshot(rows, self.place / name)

    def merge(self, *names: str) -> str:
        target = "".join(names) + "'"
        (self.place / target).mkdir(exist_ok=True)  # a merge of nothing would not make it
        merge_snapshots([self.place / name for name in names], self.place / target)
        return target

    def hashes(self, name: str) -> dict[str, str]:
        return hashes(self.place / name)


@settings(max_examples=60)
@given(a=snapshots, b=snapshots, c=snapshots)
def test_merges_commute_associate_and_are_idempotent(
    a: list[Row], b: list[Row], c: list[Row]
) -> None:
    with TemporaryDirectory() as place:
        bench = Bench(place, a=a, b=b, c=c)
        ab, ba = bench.merge("a", "b"), bench.merge("b", "a")
        assert bench.hashes(ab) == bench.hashes(ba)
        left, right = bench.merge(ab, "c"), bench.merge("a", bench.merge("b", "c"))
        assert bench.hashes(left) == bench.hashes(right) == bench.hashes(bench.merge("c", "b", "a"))
        assert bench.hashes(bench.merge("a", "a")) == bench.hashes("a")
        keys = {row["key"] for row in (*a, *b, *c)}
        if keys:
            kept = list(read_snapshot(bench.place / left))
            assert {row["key"] for row in kept} == keys
            assert all(row in (*a, *b, *c) for row in kept)


@settings(max_examples=60)
@given(a=snapshots, b=snapshots)
def test_adding_rows_is_a_merge(a: list[Row], b: list[Row]) -> None:
    with TemporaryDirectory() as place:
        bench = Bench(place, a=a, b=b)
        merged = bench.hashes(bench.merge("a", "b"))
        if b:
            write_snapshot(b, bench.place / "a")
        assert bench.hashes("a") == merged


def test_a_damaged_source_is_reported_and_left_out(folder: Path, tmp_path: Path) -> None:
    (folder / "replies-5.parquet").write_bytes(b"")
    reported: list[Damage] = []
    whole = [row for row in ROWS if row["key"][0] != "5"]
    assert merge_snapshots([folder], tmp_path / "new", reported.append) == len(whole)
    assert [found.shard for found in reported] == [folder / "replies-5.parquet"]
    assert list(read_snapshot(tmp_path / "new")) == whole
    with pytest.raises(InputError, match=r"replies-5\.parquet: cannot be read"):
        merge_snapshots([folder], tmp_path / "other")


def test_a_damaged_shard_of_the_target_is_reported_and_not_touched(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    write_snapshot(ROWS[::2], target)
    damaged = target / "replies-3.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-5])
    before = damaged.read_bytes()
    reported: list[Damage] = []
    merge_snapshots([folder], target, reported.append)
    assert [found.shard for found in reported] == [damaged]
    assert damaged.read_bytes() == before
    damaged.unlink()
    merge_snapshots([folder], target)
    assert hashes(target) == hashes(folder)


def test_a_source_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        merge_snapshots([tmp_path / "nowhere"], tmp_path / "new")
