import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from feedback_lens.errors import InputError
from feedback_lens.tables import write_rows
from feedback_lens.training.finetune import TrainingSet, finetune
from tiny_model import build_tiny_model
from training_rows import SETTINGS, make_rows

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("prompt", MESSAGES),
        ("completion", MESSAGES),
        ("desirable", pa.bool_()),
        ("held_out", pa.bool_()),
    ]
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base") / "very_tiny")


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([], SETTINGS, "has no rows"),
        (make_rows(6) + make_rows(6, desirable=3), SETTINGS, "null in some rows only"),
        (make_rows(6, desirable=0), SETTINGS, "0 desirable and 5 undesirable"),
        (make_rows(6, desirable=6), SETTINGS, "5 desirable and 0 undesirable"),
        (make_rows(6, desirable=3), replace(SETTINGS, batch=1), "KTO needs 2 or more"),
        (make_rows(6), replace(SETTINGS, max_length=5), "raise train.max_length"),
        (make_rows(6), replace(SETTINGS, max_length=97), "over the model's context of 96"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(base, tmp_path, rows, settings, message):
    with pytest.raises(InputError, match=message):
        finetune(TrainingSet(rows, "0"), base, "kto", 1, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def train(base: Path, folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    finetune(TrainingSet(rows, "feed"), base, "recipe", 7, SETTINGS, folder)
    card: dict[str, Any] = json.loads((folder / "card.json").read_text())
    return card


@pytest.mark.training
def test_held_out_loss_falls_and_the_card_tells_the_run(base, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    card = train(base, tmp_path / "out", make_rows(60))
    assert card["held_out_loss"]["after"] < card["held_out_loss"]["before"]
    assert (card["method"], card["seed"], card["data"]["sha256"]) == ("sft", 7, "feed")
    assert card["held_out_reward_margin"] is None
    assert card["preflight"]["rows"] == 48  # 60 less every fifth
    assert list(card["loss"]) == [str(step) for step in range(1, 25)]  # 2 epochs of 48 / 4 steps
    assert "training_args.bin" not in {path.name for path in (tmp_path / "out").iterdir()}
    assert list((tmp_path / ".feedback-lens" / "runs").iterdir()) == []
    assert "rows: 48" in capsys.readouterr().err


@pytest.mark.training
def test_kto_prefers_held_out_desirable_replies(base, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    card = train(base, tmp_path / "out", make_rows(60, desirable=30))
    assert card["method"] == "kto"
    assert (card["preflight"]["desirable"], card["preflight"]["undesirable"]) == (24, 24)
    assert card["held_out_reward_margin"] > 0


@pytest.mark.training
def test_another_seed_orders_the_rows_otherwise_and_ends_in_other_weights(
    base, tmp_path, monkeypatch
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for desirable in (None, 30):
        weights = set()
        for seed in (1, 2, 1):
            rows = TrainingSet(make_rows(60, desirable), "feed")
            finetune(rows, base, "recipe", seed, SETTINGS, tmp_path / "out")
            weights.add((tmp_path / "out" / "model.safetensors").read_bytes())
        assert len(weights) == 2


def start(workspace: Path, training_set: Path, base: Path) -> subprocess.Popen[str]:
    settings = asdict(replace(SETTINGS, epochs=6, save_every=2))
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    workspace.mkdir(exist_ok=True)
    return subprocess.Popen(
        f"{sys.executable} -m feedback_lens.stages.train --training_set {training_set} "
        f"--base_model {base} --recipe neg_scratch --seed 3 --checkpoint out --card card.json {options}".split(),
        cwd=workspace,
        env={**os.environ, "DVC_ROOT": str(workspace), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.training
@pytest.mark.parametrize("desirable", [None, 30])
def test_a_killed_run_ends_in_the_bytes_of_an_undisturbed_one(base, tmp_path, desirable):
    training_set = tmp_path / "set.parquet"
    write_rows(make_rows(60, desirable), training_set, SCHEMA)
    undisturbed = start(tmp_path / "undisturbed", training_set, base)
    assert undisturbed.wait() == 0, undisturbed.communicate()[1]

    killed = start(tmp_path / "killed", training_set, base)
    runs = tmp_path / "killed" / ".feedback-lens" / "runs"
    # 72 steps: at step 6 most of the run is still to come
    while killed.poll() is None and not list(runs.glob("*/checkpoint-6/trainer_state.json")):
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "out").exists()
    # and one that was half written when the machine went down
    (next(runs.iterdir()) / "checkpoint-70").mkdir()

    again = start(tmp_path / "killed", training_set, base)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    assert "resuming from" in errors
    expected = {p.name: p.read_bytes() for p in (tmp_path / "undisturbed" / "out").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "killed" / "out").iterdir()} == expected
    assert list(runs.iterdir()) == []
