import json
from pathlib import Path

import pytest

from feedback_lens.training.checkpoints import (
    choose_run_folder,
    drop_run,
    find_whole_checkpoint,
    publish,
    replaced_folder,
)


def write_state(run: Path, step: int, text: str) -> Path:
    checkpoint = run / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text(text)
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
