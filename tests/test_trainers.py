import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from feedback_lens.calls.models import configure_libraries, load_causal_model, load_tokenizer
from feedback_lens.errors import InputError
from feedback_lens.training.preflight import encode_examples
from feedback_lens.training.trainers import build_kto_trainer, build_sft_trainer, share_batch
from tiny_model import build_tiny_model
from training_rows import SETTINGS, make_rows


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
    long = {**make_rows(1, 0)[0], "prompt": [{"role": "user", "content": "q" * 99}]}
    rows = [*make_rows(8, desirable=4), long]
    trainer = build_kto_trainer(rows, base, tokenizer, 1, SETTINGS, tmp_path)
    kept, dropped = encode_examples(rows, tokenizer, SETTINGS.max_length)
    assert (len(kept), dropped, len(trainer.train_dataset)) == (8, 1, 8)
    found = {(tuple(r["prompt_ids"]), tuple(r["completion_ids"])) for r in trainer.train_dataset}
    assert found == {(tuple(e.prompt), tuple(e.completion)) for e in kept}


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("desirable", [None, 4])
def test_weights_are_trained_in_float32_though_the_base_is_in_bfloat16(
    base, tmp_path, rank, desirable
):
    half = tmp_path / "half"
    load_causal_model(base, torch.bfloat16).save_pretrained(half)
    tokenizer = load_tokenizer(base)
    build = build_sft_trainer if desirable is None else build_kto_trainer
    settings = replace(SETTINGS, lora_rank=rank)
    trainer = build(make_rows(8, desirable), half, tokenizer, 1, settings, tmp_path)
    models = [trainer.model, *filter(None, [getattr(trainer, "ref_model", None)])]
    assert {w.dtype for model in models for w in model.parameters()} == {torch.float32}
    # a reference beside the model is only wanted where no adapter can be switched off
    assert len(models) == (2 if desirable and not rank else 1)


def test_lora_trains_adapters_of_all_linear_layers_but_the_last(base, tmp_path):
    tokenizer = load_tokenizer(base)
    settings = replace(SETTINGS, lora_rank=4, lora_alpha=8, lora_dropout=0.1)
    trainer = build_sft_trainer(make_rows(8), base, tokenizer, 1, settings, tmp_path)
    trained = {name for name, w in trainer.model.named_parameters() if w.requires_grad}
    assert trained
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)
    layers = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in trained}
    attention, mlp = {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}
    assert layers == attention | mlp


@pytest.mark.parametrize(
    ("batch", "accumulation", "processes", "divisible", "expected"),
    [
        (4, 1, 1, False, (4, 1)),
        (4, 2, 2, False, (4, 1)),  # 8 rows a step: 4 each
        (4, 1, 2, True, (2, 1)),
        (4, 3, 2, True, (3, 2)),  # 12 rows a step: 6 each, as 2 batches of 3
        (2, 8, 4, True, (2, 2)),
        (1, 8, 8, True, (1, 1)),
    ],
)
def test_processes_share_the_rows_of_a_step(batch, accumulation, processes, divisible, expected):
    settings = replace(SETTINGS, batch=batch, gradient_accumulation=accumulation)
    found = share_batch(settings, processes, divisible)
    assert found == expected
    assert found[0] * found[1] * processes == batch * accumulation


@pytest.mark.parametrize(("processes", "divisible"), [(3, True), (8, True), (2, False)])
def test_a_step_that_cannot_be_shared_evenly_is_refused(processes, divisible):
    with pytest.raises(InputError, match=f"a multiple of {processes}"):
        share_batch(SETTINGS, processes, divisible)  # 4 rows a step


def test_losses_that_are_no_numbers_are_not_hidden(base, tmp_path):
    tokenizer = load_tokenizer(base)
    for build, desirable in ((build_sft_trainer, None), (build_kto_trainer, 4)):
        trainer = build(make_rows(8, desirable), base, tokenizer, 1, SETTINGS, tmp_path)
        assert trainer.args.logging_nan_inf_filter is False


def test_nothing_is_reported_to_anyone(monkeypatch):
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    configure_libraries()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["HF_HUB_OFFLINE"] == "1"
