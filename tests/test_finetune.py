import json
import math
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from feedback_lens.errors import InputError
from feedback_lens.tables import write_rows
from feedback_lens.training.claims import claimed, is_awaited
from feedback_lens.training.finetune import TrainingSet, _publish, finetune
from tiny_model import build_tiny_model
from training_process import SCHEMA, contents, finish, start, wait_for_step, write_set
from training_rows import SETTINGS, make_rows

LORA = {"lora_rank": 4, "lora_alpha": 8, "lora_dropout": 0.1, "keep": "adapter"}


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
        (make_rows(6), replace(SETTINGS, keep="adapter"), "keep is adapter and train.lora_rank 0"),
        (make_rows(6), replace(SETTINGS, learning_rate=math.nan), "train.learning_rate is nan"),
        (make_rows(6), replace(SETTINGS, kto_learning_rate=math.inf), "kto_learning_rate is inf"),
        (make_rows(6), replace(SETTINGS, beta=math.nan), r"train\.beta is nan; a finite number"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(base, tmp_path, rows, settings, message):
    with pytest.raises(InputError, match=message):
        finetune(TrainingSet(rows, "0"), base, "own", 1, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("recipe", ["kto", "kto_neg_semantic"])
def test_a_recipe_of_kto_on_rows_without_classes_is_refused(base, tmp_path, recipe):
    rows = TrainingSet(make_rows(6), "0")
    with pytest.raises(
        InputError, match=f"recipe {recipe}: KTO needs rows that say in `desirable`"
    ):
        finetune(rows, base, recipe, 1, SETTINGS, tmp_path / "out")


def test_a_length_over_the_context_is_refused_before_a_row_is_read(base, tmp_path):
    unread = [{"desirable": None}]
    settings = replace(SETTINGS, max_length=97)
    with pytest.raises(
        InputError, match=r"^train\.max_length 97 is over the model's context of 96"
    ):
        finetune(TrainingSet(unread, "0"), base, "own", 1, settings, tmp_path / "out")


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_that_fails_leaves_no_empty_folder(base, tmp_path, monkeypatch, begun):
    # two processes cannot share 3 rows, which is told when the trainer is built
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("WORLD_SIZE", "2")
    settings = replace(SETTINGS, batch=3)
    run = tmp_path / ".feedback-lens" / "runs" / "run"
    monkeypatch.setattr("feedback_lens.training.finetune.choose_run_folder", lambda _: run)
    run.mkdir(parents=True)
    if begun:
        (run / "before.json").write_text("[]")
    with pytest.raises(InputError, match="cannot share a step"):
        finetune(TrainingSet(make_rows(6), "0"), base, "own", 1, settings, tmp_path / "out")
    assert run.exists() == begun


def test_a_training_set_without_a_column_is_named_with_what_makes_it(base, tmp_path):
    schema = pa.schema([field for field in SCHEMA if field.name != "held_out"])
    write_rows(make_rows(6), tmp_path / "set.parquet", schema)
    process = start(tmp_path / "run", tmp_path / "set.parquet", base)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.startswith(f"Error: {tmp_path / 'set.parquet'}: no column 'held_out' ")
    assert "`dvc repro assemble`" in errors


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
    assert card["rewards"] is None
    assert card["processes"] == 1
    assert card["trained_tokens"] == 2 * card["preflight"]["tokens"]  # of 2 epochs
    assert card["trained_weights"] == card["weights"]
    assert card["preflight"]["rows"] == 48  # 60 less every fifth
    assert list(card["loss"]) == [str(step) for step in range(1, 25)]  # 2 epochs of 48 / 4 steps
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("card.json", "config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    assert list((tmp_path / ".feedback-lens" / "runs").iterdir()) == []
    told = capsys.readouterr().err
    assert told.startswith("method: sft\n")
    assert "rows: 48" in told


@pytest.mark.training
@pytest.mark.parametrize("changed", [{}, LORA], ids=["all", "lora"])
def test_a_diverged_model_is_refused_also_where_no_row_is_held_out(
    base, tmp_path, monkeypatch, changed
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    rows = [row | {"held_out": False} for row in make_rows(20)]
    settings = replace(SETTINGS, learning_rate=1e30, **changed)
    with pytest.raises(InputError, match="training diverged"):
        finetune(TrainingSet(rows, "0"), base, "recipe", 1, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / ".feedback-lens" / "runs").iterdir())


@pytest.mark.training
@pytest.mark.parametrize("gone", ["before.json", "checkpoint-8/model.safetensors"])
def test_a_half_deleted_run_is_trained_to_the_same_bytes(base, tmp_path, monkeypatch, gone):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def keep(run: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", keep)  # ends it where the finished run would be dropped
        train(base, tmp_path / "one", make_rows(20))
    [run] = (tmp_path / ".feedback-lens" / "runs").iterdir()
    (run / "final").rename(tmp_path / "final")
    (run / gone).unlink()
    train(base, tmp_path / "two", make_rows(20))
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert not run.exists()


def test_a_result_is_kept_for_who_comes_while_it_is_copied(tmp_path, monkeypatch):
    run = tmp_path / "runs" / "ab12"
    (run / "final").mkdir(parents=True)
    (run / "final" / "card.json").write_text("{}")
    found = []

    def wait() -> None:
        with claimed(run):
            found.append((run / "final").is_dir())

    other = threading.Thread(target=wait)

    def link(self: Path, target: Path) -> None:
        other.start()
        while not is_awaited(run):
            assert other.is_alive()
        raise OSError("another file system")

    monkeypatch.setattr(Path, "hardlink_to", link)
    with claimed(run):
        _publish(run, tmp_path / "out")
    other.join(30)
    assert found == [True]
    assert (tmp_path / "out" / "card.json").read_text() == "{}"


@pytest.mark.training
def test_kto_prefers_held_out_desirable_replies(base, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    card = train(base, tmp_path / "out", make_rows(60, desirable=30))
    assert card["method"] == "kto"
    assert (card["preflight"]["desirable"], card["preflight"]["undesirable"]) == (24, 24)
    assert card["held_out_reward_margin"] > 0
    assert list(card["rewards"]) == ["chosen", "rejected", "margins"]
    chosen, rejected, margins = card["rewards"].values()
    # steps whose rows are of one class have no margin
    assert 0 < len(margins) == len(chosen.keys() & rejected.keys()) < 24
    for step, margin in margins.items():
        assert margin == pytest.approx(chosen[step] - rejected[step], abs=1e-5)
    assert sum(list(margins.values())[-5:]) > sum(list(margins.values())[:5])


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


@pytest.mark.training
@pytest.mark.parametrize(
    ("desirable", "settings"), [(None, {}), (30, {}), (30, LORA)], ids=["sft", "kto", "kto_lora"]
)
def test_a_killed_run_ends_in_the_bytes_of_an_undisturbed_one(base, tmp_path, desirable, settings):
    training_set = write_set(tmp_path, desirable)
    finish(start(tmp_path / "undisturbed", training_set, base, **settings))

    killed = start(tmp_path / "killed", training_set, base, **settings)
    # 72 steps: at step 6 most of the run is still to come
    run = wait_for_step(killed, tmp_path / "killed", 6)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "out").exists()
    # and one that was half written when the machine went down
    (run / "checkpoint-70").mkdir()

    assert "resuming from" in finish(start(tmp_path / "killed", training_set, base, **settings))
    assert contents(tmp_path / "killed" / "out") == contents(tmp_path / "undisturbed" / "out")
    assert list(run.parent.iterdir()) == []


@pytest.mark.training
def test_sigterm_and_ctrl_c_end_a_run_with_a_checkpoint_that_is_resumed_from(base, tmp_path):
    training_set = write_set(tmp_path, None)
    finish(start(tmp_path / "undisturbed", training_set, base))
    for kind, step in ((signal.SIGTERM, 4), (signal.SIGINT, 20)):
        stopped = start(tmp_path / "stopped", training_set, base, save_every=4)
        run = wait_for_step(stopped, tmp_path / "stopped", step)
        stopped.send_signal(kind)
        _, errors = stopped.communicate()
        assert stopped.returncode == 75, errors
        assert f"{kind.name}: stopping with a checkpoint after this step" in errors
        assert f"{kind.name} stopped the training after step" in errors
        assert not (tmp_path / "stopped" / "out").exists()
    newest = max(int(path.name.split("-")[1]) for path in run.glob("checkpoint-*"))
    errors = finish(start(tmp_path / "stopped", training_set, base, save_every=4))
    assert f"checkpoint-{newest}\n" in errors
    out = contents(tmp_path / "stopped" / "out")
    out.pop("card.json")  # says save_every
    expected = contents(tmp_path / "undisturbed" / "out")
    assert out == {name: expected[name] for name in out}


@pytest.mark.training
def test_a_run_that_another_process_trains_is_waited_for_and_its_result_taken(base, tmp_path):
    training_set = write_set(tmp_path, None)
    root = {"DVC_ROOT": str(tmp_path)}
    first = start(tmp_path / "first", training_set, base, root)
    run = wait_for_step(first, tmp_path, 2)
    first.send_signal(signal.SIGSTOP)  # it trains for less time than the second needs to start
    second = start(tmp_path / "second", training_set, base, root)
    while not is_awaited(run):
        assert second.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGCONT)
    said, heard = finish(first), finish(second)
    assert "rows: 48" in said
    assert f"process {first.pid} on " in heard
    assert "waiting for its result" in heard
    assert "rows: 48" not in heard
    assert contents(tmp_path / "first" / "out") == contents(tmp_path / "second" / "out")
    cards = [tmp_path / name / "card.json" for name in ("first", "second")]
    assert cards[0].read_bytes() == cards[1].read_bytes()
    assert list(run.parent.iterdir()) == []
