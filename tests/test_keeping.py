import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from feedback_lens.calls.local import LocalSender
from feedback_lens.calls.models import find_base, load_causal_model, name_local_model
from feedback_lens.calls.request import Sampling, ask_user
from feedback_lens.errors import InputError
from feedback_lens.training.finetune import TrainingSet, finetune
from feedback_lens.training.keeping import keep_model
from feedback_lens.training.trainers import TrainSettings
from tiny_model import build_tiny_model
from training_rows import SETTINGS, make_rows

LORA = replace(SETTINGS, epochs=1, lora_rank=4, lora_alpha=8, keep="adapter")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's root with a base and three checkpoints of one LoRA run, each kept otherwise."""
    root = tmp_path_factory.mktemp("project")
    before = Path.cwd()
    os.chdir(root)
    try:
        build_tiny_model(Path("models/base/very_tiny"))
        for keep in ("adapter", "float32", "bfloat16"):
            train(replace(LORA, keep=keep), Path(keep))
        train(replace(SETTINGS, epochs=1, keep="bfloat16"), Path("full_bfloat16"))
    finally:
        os.chdir(before)
    return root


def train(settings: TrainSettings, folder: Path) -> None:
    rows = TrainingSet(make_rows(20), "feed")
    finetune(rows, Path("models/base/very_tiny"), "recipe", 1, settings, folder)


@pytest.fixture(autouse=True)
def at_the_root(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def weights(folder: str, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_causal_model(Path(folder), dtype).state_dict()
    return found


@pytest.mark.training
def test_an_adapter_is_small_and_gives_the_weights_of_the_whole_model():
    sizes = {
        name: sum(path.stat().st_size for path in Path(name).glob("*.safetensors"))
        for name in ("adapter", "bfloat16", "float32")
    }
    assert sizes["adapter"] < sizes["bfloat16"] < 0.6 * sizes["float32"]
    merged, whole, base = weights("adapter"), weights("float32"), weights("models/base/very_tiny")
    assert merged.keys() == whole.keys() == base.keys()
    assert all(torch.equal(merged[name], whole[name]) for name in merged)
    changed = {name for name in base if not torch.equal(base[name], whole[name])}
    # all linear layers but the last, and nothing else
    assert changed == {name for name in base if "_proj" in name}
    assert not any(Path(name, "README.md").exists() for name in sizes)


@pytest.mark.training
@pytest.mark.parametrize("name", ["bfloat16", "full_bfloat16"])
def test_bfloat16_is_the_float32_result_rounded_once(name):
    config = json.loads(Path(name, "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    kept = weights(name, torch.bfloat16)
    assert {tensor.dtype for tensor in kept.values()} == {torch.bfloat16}
    if name == "bfloat16":
        rounded = {key: value.bfloat16() for key, value in weights("float32").items()}
        assert all(torch.equal(kept[key], rounded[key]) for key in kept)


@pytest.mark.training
def test_an_adapter_answers_as_the_whole_model_does():
    answers = []
    for folder in ("adapter", "float32"):
        sender = LocalSender(Path(folder), "test")
        sender.start(ask_user("m", "Say 3\nplease", Sampling(max_tokens=12)))
        [delivery] = sender.collect()
        answers.append(delivery.response.text)
    assert answers[0] == answers[1]


@pytest.mark.training
def test_an_adapters_name_follows_its_base_and_its_configuration_is_in_order(tmp_path):
    content = json.loads(Path("adapter/adapter_config.json").read_text())
    assert content["base_model_name_or_path"] == "models/base/very_tiny"
    assert content["target_modules"] == sorted(content["target_modules"])
    name = name_local_model(Path("adapter"))
    config = Path("models/base/very_tiny/config.json")
    before = config.read_text()
    config.write_text(before + "\n")
    assert name_local_model(Path("adapter")) != name
    config.write_text(before)
    assert name_local_model(Path("adapter")) == name


@pytest.mark.training
def test_an_adapter_without_its_base_is_refused_and_is_no_base(project, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="an adapter is no base to train"):
        finetune(
            TrainingSet(make_rows(6), "0"), Path("adapter"), "recipe", 1, SETTINGS, tmp_path / "out"
        )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="'models/base/very_tiny' is no whole model in"):
        find_base(project / "adapter")


def test_weights_left_in_shards_are_refused(tmp_path):
    saved = tmp_path / "saved"
    saved.mkdir()
    with pytest.raises(InputError, match="FULL_STATE_DICT"):
        keep_model(saved, "float32", tmp_path / "kept")
