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
from tiny_model import build_tiny_model

from feedback_lens.calls.models import load_tokenizer
from feedback_lens.errors import InputError
from feedback_lens.tables import write_rows
from feedback_lens.training.finetune import (
    TrainingSet,
    TrainSettings,
    build_kto_trainer,
    build_sft_trainer,
    finetune,
)
from feedback_lens.training.preflight import encode_examples

SETTINGS = TrainSettings(
    epochs=2,
    batch=4,
    gradient_accumulation=1,
    learning_rate=0.003,
    kto_learning_rate=0.003,
    beta=0.1,
    warmup_share=0.1,
    max_length=64,
    save_every=4,
)
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


def make_rows(count: int, desirable: int | None = None) -> list[dict[str, Any]]:
    """Rows of which every fifth is held out; with `desirable`, the first so many are desirable."""
    good = [desirable is None or n < desirable for n in range(count)]
    return [
        {
            "conversation_id": f"c{n}",
            "turn": 1,
            "prompt": [{"role": "user", "content": f"Say {n}\nplease"}],
            "completion": [
                {"role": "assistant", "content": f"Of course: {n}, {n}." if good[n] else "Why? No."}
            ],
            "desirable": None if desirable is None else good[n],
            "held_out": n % 5 == 4,
        }
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base") / "very_tiny")


def test_the_loss_is_on_the_completion_alone_and_trl_agrees_with_the_preflight(base, tmp_path):
    tokenizer = load_tokenizer(base)
    rows = [*make_rows(4), {**make_rows(1)[0], "prompt": [{"role": "user", "content": "q" * 99}]}]
    trainer = build_sft_trainer(rows, base, tokenizer, 1, SETTINGS, tmp_path)
    kept, dropped = encode_examples(rows, tokenizer, SETTINGS.max_length)
    assert dropped == 1
    assert [r["input_ids"] for r in trainer.train_dataset] == [
        e.prompt + e.completion for e in kept
    ]
    masked = [[-100] * len(e.prompt) + e.completion for e in kept]
    assert [r["labels"] for r in trainer.train_dataset] == masked
    assert tokenizer.decode(kept[3].completion) == "Of course: 3, 3.<|eos|>"


def test_kto_interleaves_the_classes_and_weighs_them_alike(base, tmp_path):
    # desirable come first in the rows: 10 of 40
    tokenizer = load_tokenizer(base)
    rows = make_rows(40, desirable=10)
    trainer = build_kto_trainer(rows, base, tokenizer, 1, SETTINGS, tmp_path)
    labels = trainer.train_dataset["label"]
    assert sorted(labels) == [False] * 30 + [True] * 10
    # in the order of the rows 3 of the 10 batches of 4 would hold a desirable one
    assert sum(any(labels[start : start + 4]) for start in range(0, 40, 4)) >= 5
    assert (trainer.args.desirable_weight, trainer.args.undesirable_weight) == (3.0, 1.0)  # 30 / 10
    other = build_kto_trainer(rows, base, tokenizer, 2, SETTINGS, tmp_path)
    assert other.train_dataset["label"] != labels
    loader = trainer.get_train_dataloader()
    assert [label for batch in loader for label in batch["label"].tolist()] == list(labels)


def test_kto_tokens_agree_with_the_preflight(base, tmp_path):
    tokenizer = load_tokenizer(base)
    rows = make_rows(8, desirable=4)
    trainer = build_kto_trainer(rows, base, tokenizer, 1, SETTINGS, tmp_path)
    kept, _ = encode_examples(rows, tokenizer, SETTINGS.max_length)
    found = {(tuple(r["prompt_ids"]), tuple(r["completion_ids"])) for r in trainer.train_dataset}
    assert found == {(tuple(e.prompt), tuple(e.completion)) for e in kept}


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([], SETTINGS, "has no rows"),
        (make_rows(6) + make_rows(6, desirable=3), SETTINGS, "null in some rows only"),
        (make_rows(6, desirable=0), SETTINGS, "0 desirable and 5 undesirable"),
        (make_rows(6, desirable=6), SETTINGS, "5 desirable and 0 undesirable"),
        (make_rows(6, desirable=3), replace(SETTINGS, batch=1), "KTO needs 2 or more"),
        (make_rows(6), replace(SETTINGS, max_length=5), "raise train.max_length"),
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
    options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    workspace.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "feedback_lens.stages.train"]
        + ["--training_set", str(training_set), "--base_model", str(base)]
        + ["--recipe", "neg_scratch", "--seed", "3", "--checkpoint", "out", *options],
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
