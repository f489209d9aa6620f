"""Training speed of a 7B model of Mistral's shape with random weights on one GPU.

`python benchmarks/gpu_training.py` trains through the trainers of the stage `train` with the
paper's learning rate, float32 weights under bf16 autocast and activation checkpointing, and tells
tokens a second, peak memory and the share of the card's bf16 peak. Nothing is downloaded.

All weights with AdamW take 116 GB before activations (weights 29, gradients 29, moments 58), which
an 80 GB card does not have: there, `--lora_rank 16`. `--shape tiny` runs on a CPU.
"""

import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import click
import yaml

from loopback import PROJECT, make_folder, write_result
from training_cost import (
    GB,
    OPTIMIZERS,
    SHAPES,
    Memory,
    Shape,
    count_memory,
    count_operations,
    find_peak,
)

sys.path.insert(0, str(PROJECT / "src"))

import torch

from feedback_lens.calls.models import choose_device, configure_libraries
from feedback_lens.errors import InputError

configure_libraries()

PROMPT = "Say more of the numbers that come after these, one by one."


def build_base(shape: Shape, length: int, folder: Path) -> Path:
    """A model of the shape with random weights, stored as bf16, and a tokenizer of few words."""
    from transformers import MistralConfig, MistralForCausalLM

    from feedback_lens.training.tiny_tokenizer import train_tokenizer

    tokenizer = train_tokenizer([f"{PROMPT} reply {number}" for number in range(100)], 400, length)
    config = MistralConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.groups,
        max_position_embeddings=length,
        sliding_window=None,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(1)
    with torch.device(choose_device()):
        model = MistralForCausalLM._from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_rows(count: int, length: int, kto: bool) -> list[dict[str, Any]]:
    """Rows that are all cut to `length` tokens: a word is a token at least."""
    return [
        {
            "prompt": [{"role": "user", "content": PROMPT}],
            "completion": [{"role": "assistant", "content": f"{number} " + "reply " * length}],
            "desirable": number % 2 == 0 if kto else None,
        }
        for number in range(count)
    ]


def check_memory(needed: Memory, card_gb: float | None) -> None:
    """Refuse, before anything is built, what cannot fit."""
    if card_gb is not None and needed.total > card_gb * GB:
        raise InputError(
            f"the card has {card_gb:.0f} GB and this takes {needed} before activations; "
            "train adapters (--lora_rank 16), take a larger card, or another optimizer "
            "(adafactor, or paged_adamw_8bit, which needs bitsandbytes)"
        )


def train(
    shape: Shape, kto: bool, optimizer: str, steps: int, chosen: Mapping[str, Any], folder: Path
) -> tuple[float, float | None]:
    """Train so many steps; median seconds of one, and the GPU's peak GB (null on a CPU)."""
    from transformers import PrinterCallback, ProgressCallback, TrainerCallback
    from transformers.training_args import OptimizerNames

    from feedback_lens.calls.models import load_tokenizer
    from feedback_lens.training.trainers import (
        TrainSettings,
        build_kto_trainer,
        build_sft_trainer,
    )

    ends: list[float] = []
    on_gpu = choose_device() == "cuda"

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if on_gpu:
                torch.cuda.synchronize()
            ends.append(time.perf_counter())

    settings = TrainSettings(**chosen)
    base = build_base(shape, settings.max_length, folder / "base")
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    count = steps * settings.batch * settings.gradient_accumulation
    rows = make_rows(count, settings.max_length, kto)
    build = build_kto_trainer if kto else build_sft_trainer
    trainer = build(rows, base, load_tokenizer(base), 1, settings, folder / "run")
    trainer.args.save_strategy = "no"
    trainer.args.optim = OptimizerNames(optimizer)
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(Clock())
    trainer.train()
    # the first step is left out: the allocator and the kernels settle in it
    took = [end - start for start, end in pairwise(ends)]
    peak = torch.cuda.max_memory_allocated() / GB if on_gpu else None
    return median(took), peak


def measure(
    name: str, method: str, optimizer: str, steps: int, given: Mapping[str, Any], card: float | None
) -> dict[str, Any]:
    """Check the memory, train, and say how fast it went on what.

    Raises:
        InputError: it does not fit on the card.
    """
    profile = yaml.safe_load((PROJECT / "profiles" / "paper.yaml").read_text())["train"]
    chosen = (
        profile | {"epochs": 1} | {key: value for key, value in given.items() if value is not None}
    )
    shape, kto, rank = SHAPES[name], method == "kto", chosen["lora_rank"]
    device, memory = describe_device()
    needed = count_memory(shape, rank, kto, optimizer)
    click.echo(f"{name}, {method}, on {device}: {needed} before activations", err=True)
    check_memory(needed, memory if card is None else card)
    with make_folder() as folder:
        try:
            seconds, peak = train(shape, kto, optimizer, steps, chosen, folder)
        except torch.OutOfMemoryError:
            raise InputError(
                f"{device}: {needed} leave too little for {chosen['batch']} rows of "
                f"{chosen['max_length']} tokens; lower --batch or --max_length"
            ) from None
    tokens = chosen["batch"] * chosen["gradient_accumulation"] * chosen["max_length"]
    operations = count_operations(shape, chosen["max_length"], rank > 0, kto)
    return {
        "device": device,
        "shape": name,
        "parameters": shape.parameters,
        "method": method,
        "optimizer": optimizer,
        "settings": chosen,
        "tokens_a_step": tokens,
        "memory_before_activations": str(needed),
        **rate(tokens, seconds, operations, find_peak(device)),
        "peak_gb": peak,
    }


def rate(tokens: int, seconds: float, operations: float, peak: int | None) -> dict[str, Any]:
    """Tokens a second, TFLOPS and the share of the card's `peak` TFLOPS, null where not known."""
    speed = tokens / seconds
    tflops = speed * operations / 1e12
    return {
        "tokens_a_second": round(speed),
        "tflops": round(tflops, 3),
        "share_of_bf16_peak": round(tflops / peak, 3) if peak else None,
    }


def describe_device() -> tuple[str, float | None]:
    """The GPU's name and GB, or the CPU without a limit."""
    if choose_device() != "cuda":
        return "CPU", None
    return torch.cuda.get_device_name(), torch.cuda.mem_get_info()[1] / GB


@click.command()
@click.option("--shape", type=click.Choice(list(SHAPES)), default="mistral_7b", show_default=True)
@click.option("--method", type=click.Choice(["sft", "kto"]), default="sft", show_default=True)
@click.option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    default=next(iter(OPTIMIZERS)),
    show_default=True,
)
@click.option("--steps", type=click.IntRange(2), default=8, show_default=True)
@click.option("--batch", type=click.IntRange(1), help="Rows at once.")
@click.option("--gradient_accumulation", type=click.IntRange(1), help="Batches a step.")
@click.option("--max_length", type=click.IntRange(64), help="Tokens of a row.")
@click.option("--lora_rank", type=click.IntRange(0), help="Of adapters; 0: all weights.")
@click.option("--card_gb", type=float, help="Take the card for one of so many GB.")
@click.option("--result", default="gpu_training", show_default=True, help="Name of the result.")
def main(
    shape: str,
    method: str,
    optimizer: str,
    steps: int,
    card_gb: float | None,
    result: str,
    **given: Any,
) -> None:
    """Measure the training of a model with random weights (settings: profiles/paper.yaml)."""
    write_result(result, measure(shape, method, optimizer, steps, given, card_gb))


if __name__ == "__main__":
    main()
