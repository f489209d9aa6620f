"""TRL's trainers as the recipes use them, one small function a method.

Source: TRL 1.16, SFTTrainer and KTOTrainer.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.calls.models import choose_device
from feedback_lens.errors import InputError
from feedback_lens.training.launching import LAUNCHER, count_processes
from feedback_lens.training.preflight import encode_examples

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TrainSettings:
    """How a checkpoint is trained.

    A step takes `batch` times `gradient_accumulation` rows, however many processes share them;
    `max_length` is tokens of prompt and reply; `warmup_share` the share of the steps in which the
    learning rate rises; `kto_learning_rate` and `beta` are KTO's; `save_every` is steps between
    working checkpoints. `lora_rank` 0 trains all weights, else adapters of that rank, scaled by
    `lora_alpha` / `lora_rank`. `keep` is what the checkpoint's folder holds: `float32` or
    `bfloat16` weights, or the `adapter` alone.
    """

    epochs: int
    batch: int
    gradient_accumulation: int
    learning_rate: float
    kto_learning_rate: float
    beta: float
    warmup_share: float
    max_length: int
    save_every: int
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    keep: str


def build_sft_trainer(
    rows: Sequence[Row],
    base_model: Path,
    tokenizer: Any,
    seed: int,
    settings: TrainSettings,
    run: Path,
) -> Any:
    """TRL's SFTTrainer on prompts and completions, with the loss on the completions alone."""
    from trl import SFTConfig, SFTTrainer

    batch = share_batch(settings, count_processes(), divisible=True)
    common = _common_arguments(seed, settings, run, batch)
    return SFTTrainer(
        model=_load_model(base_model),
        args=SFTConfig(**common, learning_rate=settings.learning_rate, completion_only_loss=True),
        train_dataset=_as_dataset([_as_example(row) for row in rows]),
        processing_class=tokenizer,
        peft_config=_configure_lora(settings),
    )


def build_kto_trainer(
    rows: Sequence[Row],
    base_model: Path,
    tokenizer: Any,
    seed: int,
    settings: TrainSettings,
    run: Path,
) -> Any:
    """TRL's KTOTrainer, classes weighted so that both weigh the same in sum.

    The rows are shuffled by the seed: the trainer reads them in order, and training sets hold one
    class after the other.
    Source: Ethayarajh et al. 2024 (KTO), equation 8.
    """
    from trl import KTOConfig, KTOTrainer

    examples = [{**_as_example(row), "label": row["desirable"]} for row in rows]
    random.Random(seed).shuffle(examples)
    kept, _ = encode_examples(rows, tokenizer, settings.max_length)
    desirable = sum(bool(example.desirable) for example in kept)
    undesirable = len(kept) - desirable
    # the estimate of the divergence pairs rows within a batch, so batches stay whole
    batch = share_batch(settings, count_processes(), divisible=False)
    return KTOTrainer(
        model=_load_model(base_model),
        args=KTOConfig(
            **_common_arguments(seed, settings, run, batch),
            learning_rate=settings.kto_learning_rate,
            beta=settings.beta,
            desirable_weight=max(undesirable / desirable, 1.0),
            undesirable_weight=max(desirable / undesirable, 1.0),
        ),
        train_dataset=_as_dataset(examples),
        processing_class=tokenizer,
        peft_config=_configure_lora(settings),
    )


def share_batch(settings: TrainSettings, processes: int, divisible: bool) -> tuple[int, int]:
    """Rows a batch and batches a step of each process, so that a step takes the same rows as ever.

    Args:
        settings: `batch` and `gradient_accumulation` of one process that trains alone.
        processes: how many train together.
        divisible: whether a batch may be made smaller.

    Raises:
        InputError: a step cannot be shared evenly.
    """
    rows, rest = divmod(settings.batch * settings.gradient_accumulation, processes)
    smallest = 1 if divisible else settings.batch
    sizes = [size for size in range(settings.batch, smallest - 1, -1) if rows % size == 0]
    if rest or not sizes:
        whole = "train.batch * train.gradient_accumulation"
        raise InputError(
            f"{LAUNCHER}: {processes} processes cannot share a step of {settings.batch} * "
            f"{settings.gradient_accumulation} rows; make "
            f"{whole if divisible else 'train.gradient_accumulation, for KTO,'} a multiple of "
            f"{processes}"
        )
    return sizes[0], rows // sizes[0]


def _common_arguments(
    seed: int, settings: TrainSettings, run: Path, batch: tuple[int, int]
) -> dict[str, Any]:
    on_gpu = choose_device() == "cuda"
    return {
        "output_dir": str(run),
        "seed": seed,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": batch[0],
        "gradient_accumulation_steps": batch[1],
        "warmup_steps": settings.warmup_share,
        "max_length": settings.max_length,
        "save_strategy": "steps",
        "save_steps": settings.save_every,
        "save_total_limit": 2,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a diverged run logs losses of 0
        "report_to": [],
        "disable_tqdm": False,
        # weights stay float32: with a learning rate of 5e-6 bfloat16 weights do not move
        "bf16": on_gpu,
        "use_cpu": not on_gpu,  # else several processes on a CPU do not find each other
        "activation_checkpointing": on_gpu,
        "dataloader_pin_memory": on_gpu,
    }


def _load_model(base_model: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base_model, dtype=torch.float32)


def _configure_lora(settings: TrainSettings) -> Any:
    """LoRA on all linear layers but the last; null for full fine-tuning."""
    if not settings.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _as_example(row: Row) -> dict[str, Any]:
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _as_dataset(examples: list[dict[str, Any]]) -> Any:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    return Dataset.from_list(examples)
