import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from feedback_lens.errors import InputError
from feedback_lens.training.launching import check_processes
from tiny_model import build_tiny_model
from training_process import contents, finish, start, wait_for_step, write_set

TORCHRUN = f"{sys.executable} -m torch.distributed.run --standalone --nproc_per_node 2"
TWO = {"FEEDBACK_LENS_LAUNCHER": TORCHRUN}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base") / "very_tiny")


def load(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    weights: dict[str, Any] = load_file(folder / "model.safetensors")
    return weights


@pytest.mark.training
def test_two_processes_end_in_the_weights_of_one_but_for_rounding(base, tmp_path):
    training_set = write_set(tmp_path, None)
    finish(start(tmp_path / "one", training_set, base, epochs=2))
    errors = finish(start(tmp_path / "two", training_set, base, TWO, epochs=2))
    assert errors.count("rows: 48") == 1  # one process speaks
    one, two, before = load(tmp_path / "one" / "out"), load(tmp_path / "two" / "out"), load(base)
    moved = max(abs(one[name] - before[name]).max() for name in before)
    assert max(abs(one[name] - two[name]).max() for name in one) < 1e-4 * moved
    cards = [json.loads((tmp_path / n / "card.json").read_text()) for n in ("one", "two")]
    assert [card["processes"] for card in cards] == [1, 2]
    assert cards[1]["loss"] == pytest.approx(cards[0]["loss"], rel=1e-4)
    assert cards[1]["held_out_loss"] == pytest.approx(cards[0]["held_out_loss"], rel=1e-4)
    assert json.loads((tmp_path / "two" / "out" / "card.json").read_text()) == cards[1]
    assert list((tmp_path / "two" / ".feedback-lens" / "runs").iterdir()) == []


@pytest.mark.training
def test_two_processes_stop_together_and_resume_kto_with_adapters(base, tmp_path):
    training_set = write_set(tmp_path, 30)
    changed = {"gradient_accumulation": 2, "lora_rank": 2, "keep": "adapter"}
    finish(start(tmp_path / "undisturbed", training_set, base, TWO, **changed))
    stopped = start(tmp_path / "stopped", training_set, base, TWO, **changed)
    wait_for_step(stopped, tmp_path / "stopped", 2)
    # one of the two alone; the launcher ends when it does
    os.kill(find_worker(stopped.pid, "1"), signal.SIGTERM)
    _, errors = stopped.communicate(timeout=120)
    assert stopped.returncode != 0
    assert "SIGTERM stopped the training after step" in errors
    assert "resuming from" in finish(
        start(tmp_path / "stopped", training_set, base, TWO, **changed)
    )
    assert contents(tmp_path / "stopped" / "out") == contents(tmp_path / "undisturbed" / "out")


@pytest.mark.training
def test_where_one_process_dies_all_end_and_nothing_is_left_in_place(base, tmp_path):
    process = start(tmp_path / "run", write_set(tmp_path, None), base, TWO)
    wait_for_step(process, tmp_path / "run", 2)
    os.kill(find_worker(process.pid, "1"), signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert not (tmp_path / "run" / "out").exists()
    assert not (tmp_path / "run" / "card.json").exists()


def find_worker(parent: int, rank: str) -> int:
    """The process of a rank among the children of the launcher."""
    for _ in range(1000):
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for child in children:
            if f"\0RANK={rank}\0" in Path(f"/proc/{child}/environ").read_text():
                return int(child)
        time.sleep(0.01)
    raise AssertionError(f"no process of rank {rank}")


@pytest.mark.training
@pytest.mark.parametrize(
    ("launcher", "further", "desirable", "message"),
    [
        ("accelerate launch --cpu --num_processes 2", {}, None, "started one process only"),
        ("no_such_launcher -n 2", {}, None, "'no_such_launcher' cannot be run"),
        (TORCHRUN, {"ACCELERATE_USE_FSDP": "true"}, None, "FSDP needs GPUs"),
        (TORCHRUN, {}, 30, "2 processes cannot share a step of 4 * 1 rows"),
    ],
    ids=["one_process", "no_command", "fsdp_on_cpu", "uneven_step"],
)
def test_a_launcher_that_does_not_do_what_it_was_asked_for_is_refused(
    base, tmp_path, launcher, further, desirable, message
):
    environment = {"FEEDBACK_LENS_LAUNCHER": launcher, **further}
    process = start(tmp_path / "run", write_set(tmp_path, desirable), base, environment)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert message in errors
    assert not (tmp_path / "run" / "out").exists()
    runs = tmp_path / "run" / ".feedback-lens" / "runs"
    assert not runs.exists() or list(runs.iterdir()) == []
    if launcher == TORCHRUN:  # its own traceback does not bury the line
        assert message in "".join(errors.splitlines(keepends=True)[-5:])


@pytest.mark.parametrize(
    ("processes", "kind", "gpus", "message"),
    [
        (1, "NO", 0, "1 of 2 processes train together"),
        (2, "DistributedType.MULTI_GPU", 1, "FSDP needs GPUs"),
        (2, "DistributedType.FSDP", 2, "one process sees 2 GPUs"),
    ],
)
def test_what_the_libraries_do_in_silence_is_said(monkeypatch, processes, kind, gpus, message):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    accelerator = SimpleNamespace(num_processes=processes, distributed_type=kind)
    trainer = SimpleNamespace(accelerator=accelerator, args=SimpleNamespace(n_gpu=gpus))
    with pytest.raises(InputError, match=message):
        check_processes(trainer)
