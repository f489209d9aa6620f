from pathlib import Path

import pytest

from feedback_lens.calls.models import load_tokenizer
from feedback_lens.training.preflight import encode_examples
from feedback_lens.training.trainers import build_kto_trainer, build_sft_trainer
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
    rows = make_rows(8, desirable=4)
    trainer = build_kto_trainer(rows, base, tokenizer, 1, SETTINGS, tmp_path)
    kept, _ = encode_examples(rows, tokenizer, SETTINGS.max_length)
    found = {(tuple(r["prompt_ids"]), tuple(r["completion_ids"])) for r in trainer.train_dataset}
    assert found == {(tuple(e.prompt), tuple(e.completion)) for e in kept}
