"""That the benchmarks of training still run and count; how fast they are no test can say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from feedback_lens.errors import InputError

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import gpu_training
from training_cost import SHAPES, count_memory, count_operations, find_peak

ROOT = Path(__file__).parents[1]
TINY, MISTRAL = SHAPES["tiny"], SHAPES["mistral_7b"]


def test_parameters_are_those_of_the_published_shapes():
    # a layer: queries and output 2 * 64 * 64, keys and values 2 * 64 * 32, inner 3 * 64 * 128,
    # norms 2 * 64: 36,992; twice; embeddings 2 * 512 * 64; last norm 64
    assert TINY.parameters == 2 * 36_992 + 65_536 + 64 == 139_584
    assert MISTRAL.parameters == 7_241_732_096
    # 16 * (2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336)) = 1,310,720 a layer
    assert MISTRAL.count_adapters(16) == 32 * 1_310_720


def test_operations_of_a_token_count_passes_and_attention():
    # forward 2 * 139,584 = 279,168; attention 2 * 2 layers * 64 * 128 tokens = 32,768
    assert count_operations(TINY, 128, lora=False, kto=False) == 3 * (279_168 + 32_768)
    assert count_operations(TINY, 128, lora=True, kto=False) == 2 * 279_168 + 3 * 32_768
    assert count_operations(TINY, 128, lora=False, kto=True) == 6 * (279_168 + 32_768)
    # 6 * 7,241,732,096 + 6 * 32 * 4096 * 2048
    assert count_operations(MISTRAL, 2048, lora=False, kto=False) == 45_061_005_312


def test_memory_of_a_7b_is_116_gb_and_does_not_fit_on_80():
    whole = count_memory(MISTRAL, 0, kto=False, optimizer="adamw_torch_fused")
    assert whole.total == 16 * MISTRAL.parameters  # weights 4, gradients 4, moments 8
    assert str(whole) == "weights 29 + gradients 29 + moments 57.9 = 116 GB"
    with pytest.raises(InputError, match=r"has 80 GB and this takes weights 29 .* 116 GB"):
        gpu_training.measure("mistral_7b", "sft", "adamw_torch_fused", 2, {}, 80)
    gpu_training.check_memory(whole, 141)


def test_memory_of_adapters_of_a_reference_and_of_adafactor():
    # 4 bytes * 41,943,040 more weights, and 12 bytes a trained one
    adapters = count_memory(MISTRAL, 16, kto=True, optimizer="adamw_torch_fused")
    assert adapters.total == 4 * MISTRAL.parameters + 16 * 41_943_040
    assert count_memory(MISTRAL, 0, kto=True, optimizer="adafactor").total == (
        12 * MISTRAL.parameters  # weights, reference, gradients
    )


def test_the_share_of_the_peak_is_of_the_card_by_its_name():
    # 8192 tokens in 2 s: 4096 * 45,061,005,312 = 184.57 TFLOPS; of 989: 0.187
    assert gpu_training.rate(8192, 2.0, 45_061_005_312, find_peak("NVIDIA H100 80GB HBM3")) == {
        "tokens_a_second": 4096,
        "tflops": 184.57,
        "share_of_bf16_peak": 0.187,
    }
    assert find_peak("NVIDIA A100-SXM4-80GB") == 312
    assert find_peak("NVIDIA H100 PCIe") == 756
    assert gpu_training.rate(10, 1.0, 1e12, find_peak("CPU"))["share_of_bf16_peak"] is None


@pytest.mark.training
def test_the_shapes_are_built_as_counted(tmp_path):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    gpu_training.build_base(TINY, 64, tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.num_parameters() == TINY.parameters
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    assert adapted.num_parameters(only_trainable=True) == TINY.count_adapters(4)


@pytest.mark.training
@pytest.mark.parametrize("method", ["sft", "kto"])
def test_two_steps_of_the_tiny_shape_are_timed_on_rows_of_full_length(method):
    given = {"batch": 2, "gradient_accumulation": 3, "max_length": 64, "lora_rank": None}
    found = gpu_training.measure("tiny", method, "adamw_torch_fused", 2, given, None)
    assert found["tokens_a_step"] == 2 * 3 * 64
    assert found["tokens_a_second"] > 0
    paper = yaml.safe_load((ROOT / "profiles" / "paper.yaml").read_text())["train"]
    assert found["settings"]["learning_rate"] == paper["learning_rate"]


def test_every_row_of_the_gpu_benchmark_fills_its_length(tmp_path):
    from feedback_lens.calls.models import load_tokenizer
    from feedback_lens.training.preflight import encode_examples

    gpu_training.build_base(TINY, 64, tmp_path)
    rows = gpu_training.make_rows(3, 64, kto=True)
    kept, dropped = encode_examples(rows, load_tokenizer(tmp_path), 64)
    assert [len(e.prompt) + len(e.completion) for e in kept] == [64] * 3
    assert [e.desirable for e in kept] == [True, False, True]
    assert dropped == 0


COMPARE = """
import json, sys
sys.path.insert(0, "benchmarks")
import training
from dataclasses import replace
settings, shape = training.read_settings()
shape = replace(shape, vocabulary=300, width=32, layers=1, heads=2)
settings = replace(settings, max_length=64, batch=2)
for method in ("sft", "kto"):
    print(json.dumps(training.compare(method, 6, 1, settings, shape)))
"""


@pytest.mark.training
def test_the_stage_and_the_plain_script_do_the_same_work():
    # in a process of its own, for importing it sets variables; it fails where weights differ
    done = subprocess.run(
        [sys.executable, "-c", COMPARE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines()[-2:]:
        found = json.loads(line)
        assert found["rows"] == 6
        # all but a few replies of the sample are longer than what is left of 64 tokens
        assert 6 * 32 < found["tokens"] <= 6 * 64
        for clock in ("whole", "steps", "cpu"):
            middle, least, greatest = found[clock]["ratio"]
            assert 0 < least <= middle <= greatest
