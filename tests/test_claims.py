import fcntl
import multiprocessing
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
