"""Two branches that both packed, merged by Git for real, as docs/store.md says."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from feedback_lens.calls.snapshot import (
    merge_snapshots,
    read_snapshot,
    verify_snapshot,
    write_snapshot,
)
from snapshot_rows import ROWS

DRIVER = [sys.executable, "-c", "from feedback_lens.cli import main; main()", "store", "merge-file"]
RECORDED = "data/recorded"
COMMON, OURS, THEIRS = ROWS[:20], ROWS[20::2], ROWS[21::2]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Branches ours and theirs, each of which added 20 replies to 20 common ones."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "someone")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "someone@example.org")
    git(tmp_path, "init", "-q", "-b", "ours")
    attributes = f"*.parquet binary\n{RECORDED}/*.parquet merge=replies\n"
    (tmp_path / ".gitattributes").write_text(attributes)
    record(tmp_path, COMMON)
    git(tmp_path, "checkout", "-q", "-b", "theirs")
    record(tmp_path, THEIRS)
    git(tmp_path, "checkout", "-q", "ours")
    record(tmp_path, OURS)
    return tmp_path


def git(repository: Path, *arguments: str, succeeds: bool = True) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=repository, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == succeeds, done
    return done.stdout + done.stderr


def record(repository: Path, rows: list[dict[str, Any]]) -> None:
    write_snapshot(rows, repository / RECORDED)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Record replies")


def use_driver(repository: Path) -> None:
    command = f"{shlex.join(DRIVER)} %O %A %B %P"
    git(repository, "config", "merge.replies.driver", command)


def test_git_merges_two_branches_by_the_merge_driver(repository: Path) -> None:
    use_driver(repository)
    git(repository, "merge", "-q", "--no-edit", "theirs")
    assert list(read_snapshot(repository / RECORDED)) == ROWS
    assert git(repository, "status", "--porcelain") == ""


def test_the_merge_driver_leaves_a_conflict_where_a_shard_is_damaged(repository: Path) -> None:
    git(repository, "checkout", "-q", "theirs")
    # a shard that both changed: of another one Git takes the side that changed it
    digit = min({row["key"][0] for row in OURS} & {row["key"][0] for row in THEIRS})
    shard = repository / RECORDED / f"replies-{digit}.parquet"
    shard.write_bytes(shard.read_bytes()[:-9])
    git(repository, "commit", "-q", "-a", "-m", "Damage")
    git(repository, "checkout", "-q", "ours")
    use_driver(repository)
    said = git(repository, "merge", "--no-edit", "theirs", succeeds=False)
    assert f"{RECORDED}/{shard.name} (theirs): cannot be read" in said
    assert verify_snapshot(repository / RECORDED) == []  # ours stays in its place
    conflicts = git(repository, "diff", "--name-only", "--diff-filter=U").split()
    assert f"{RECORDED}/{shard.name}" in conflicts


def test_a_conflict_is_solved_by_a_merge_of_snapshots(repository: Path, tmp_path: Path) -> None:
    said = git(repository, "merge", "--no-edit", "theirs", succeeds=False)
    assert "CONFLICT" in said
    theirs = tmp_path / "theirs"
    git(repository, "worktree", "add", "--detach", str(theirs), "MERGE_HEAD")
    merge_snapshots([theirs / RECORDED], repository / RECORDED)
    git(repository, "worktree", "remove", str(theirs))
    git(repository, "add", RECORDED)
    git(repository, "commit", "-q", "--no-edit")
    assert list(read_snapshot(repository / RECORDED)) == ROWS
    assert git(repository, "status", "--porcelain") == ""


def test_the_merge_driver_refuses_what_is_no_shard(tmp_path: Path) -> None:
    for name in "oab":
        (tmp_path / name).write_text("label")
    done = subprocess.run(
        [*DRIVER, *(str(tmp_path / name) for name in "oab"), "data/labels/own.parquet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: data/labels/own.parquet: not the name of a shard")
    assert (tmp_path / "a").read_text() == "label"
