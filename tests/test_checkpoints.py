import json
import shutil
from pathlib import Path

import pytest

from feedback_lens.training.checkpoints import (
    choose_run_folder,
    drop_run,
    find_missing_shards,
    find_whole_checkpoint,
    publish,
    replaced_folder,
    sweep_dropped,
)

PARTS = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")


def write_state(run: Path, step: int, text: str) -> Path:
    checkpoint = run / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text(text)
    for name in PARTS:
        (checkpoint / name).touch()
    (run / "before.json").write_text("[]")
    return checkpoint


def test_the_newest_whole_checkpoint_is_found_and_half_written_ones_are_passed_over(tmp_path):
    write_state(tmp_path, 2, json.dumps({"global_step": 2}))
    whole = write_state(tmp_path, 10, json.dumps({"global_step": 10}))  # 10 > 2 as a number
    write_state(tmp_path, 12, '{"global_step": 1')
    write_state(tmp_path, 14, json.dumps({"global_step": 12}))
    (tmp_path / "checkpoint-16").mkdir()
    assert find_whole_checkpoint(tmp_path) == whole


def test_a_run_without_a_whole_checkpoint_begins_anew(tmp_path):
    (tmp_path / "checkpoint-2").mkdir()
    assert find_whole_checkpoint(tmp_path) is None
    assert find_whole_checkpoint(tmp_path / "missing") is None


@pytest.mark.parametrize("gone", PARTS)
def test_a_checkpoint_that_lost_a_part_is_passed_over(tmp_path, gone):
    whole = write_state(tmp_path, 2, json.dumps({"global_step": 2}))
    newer = write_state(tmp_path, 4, json.dumps({"global_step": 4}))
    assert find_whole_checkpoint(tmp_path) == newer
    (newer / gone).unlink()
    assert find_whole_checkpoint(tmp_path) == whole


def test_a_checkpoint_that_lost_a_shard_is_passed_over(tmp_path):
    checkpoint = write_state(tmp_path, 2, json.dumps({"global_step": 2}))
    index = {"weight_map": {"a": "model.safetensors", "b": "second.safetensors"}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    assert find_missing_shards(checkpoint) == ["second.safetensors"]
    assert find_whole_checkpoint(tmp_path) is None
    (checkpoint / "second.safetensors").touch()
    assert find_whole_checkpoint(tmp_path) == checkpoint


def test_a_run_that_lost_what_was_measured_before_it_begins_anew(tmp_path):
    write_state(tmp_path, 2, json.dumps({"global_step": 2}))
    (tmp_path / "before.json").unlink()
    assert find_whole_checkpoint(tmp_path) is None


def test_a_run_whose_removal_is_cut_short_leaves_nothing_in_its_place(tmp_path, monkeypatch):
    run = tmp_path / "runs" / "ab12"

    def cut_short(path, **_):
        raise KeyboardInterrupt

    for _ in range(2):  # a second one of the same run is no obstacle
        write_state(run, 2, json.dumps({"global_step": 2}))
        (run / "final").mkdir()
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(shutil, "rmtree", cut_short)
            drop_run(run)
        assert not run.exists()
    assert len(list((tmp_path / "dropped").iterdir())) == 2
    sweep_dropped(tmp_path / "runs" / "another")
    assert not list((tmp_path / "dropped").iterdir())


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "model"
    with replaced_folder(folder) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), replaced_folder(folder) as temporary:
        (temporary / "b").write_text("half")
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["a"]
    with replaced_folder(folder) as temporary:
        assert not list(temporary.iterdir())  # what the failed run left is gone
        (temporary / "c").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["c"]


def test_each_run_has_its_own_folder_under_the_main_checkout(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    one, other = choose_run_folder({"seed": 1}), choose_run_folder({"seed": 2})
    assert one.parent == other.parent == tmp_path / ".feedback-lens" / "runs"
    assert one != other
    assert choose_run_folder({"seed": 1}) == one


@pytest.mark.parametrize("to_be_kept", [True, False])
def test_a_finished_model_takes_its_place_and_stays_apart_where_it_is_kept(tmp_path, to_be_kept):
    final, checkpoint = tmp_path / "run" / "final", tmp_path / "out" / "checkpoint"
    final.mkdir(parents=True)
    (final / "model.safetensors").write_text("weights")
    checkpoint.mkdir(parents=True)
    (checkpoint / "stale").touch()
    publish(final, checkpoint, to_be_kept)
    assert [path.name for path in checkpoint.iterdir()] == ["model.safetensors"]
    # two names of one file would change together
    assert (checkpoint / "model.safetensors").stat().st_nlink == (1 if to_be_kept else 2)
    drop_run(final.parent)
    assert not final.parent.exists()
    assert (checkpoint / "model.safetensors").read_text() == "weights"
