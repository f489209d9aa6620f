import fcntl
import io
import multiprocessing
import sys
import threading
from pathlib import Path

from feedback_lens.training.claims import claimed, is_awaited


def claim(run: Path, done: Path) -> None:
    with claimed(run):
        done.write_text("done")


def test_a_run_is_held_by_one_process_and_another_waits_for_it(tmp_path):
    run, done = tmp_path / "runs" / "ab12", tmp_path / "done"
    with claimed(run):
        assert not is_awaited(run)
        other = multiprocessing.get_context("spawn").Process(target=claim, args=(run, done))
        other.start()
        while not is_awaited(run):
            assert other.is_alive()
        assert not done.exists()
    other.join(30)
    assert done.read_text() == "done"
    assert not is_awaited(run)


def test_who_says_that_it_waits_is_already_awaited(tmp_path, monkeypatch):
    run, awaited = tmp_path / "runs" / "ab12", []

    class Watched(io.StringIO):
        def write(self, text: str) -> int:
            awaited.append(is_awaited(run))
            return super().write(text)

    with claimed(run), monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Watched())
        other = threading.Thread(target=claim, args=(run, tmp_path / "done"))
        other.start()
        while not awaited:
            assert other.is_alive()
    other.join(30)
    assert (tmp_path / "done").exists()
    assert all(awaited)


def test_a_claim_is_given_back_with_an_error_and_other_runs_are_free(tmp_path):
    for _ in range(2):
        try:
            with claimed(tmp_path / "runs" / "one"), claimed(tmp_path / "runs" / "other"):
                raise RuntimeError
        except RuntimeError:
            continue
    with (tmp_path / "locks" / "one.claim").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not (tmp_path / "runs").exists()  # a claim makes no run
