"""Training tokens a second of the stage `train`, beside a plain TRL script of the same work.

`python benchmarks/training.py`: SFT and KTO of a small model with random weights on replies of the
sample, in turn in one process and one thread. Both ways end in the same weights, or it fails.
"""

import contextlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

# before a library starts its threads
os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}

import yaml

from loopback import PROJECT, make_folder, write_result

sys.path.insert(0, str(PROJECT / "src"))

from feedback_lens.calls.models import configure_libraries

configure_libraries()

import torch
import transformers
from datasets import Dataset
from transformers import AutoTokenizer, LlamaForCausalLM
from trl import KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

from feedback_lens.logs.samples import read_samples
from feedback_lens.training.checkpoints import hash_file
from feedback_lens.training.finetune import TrainingSet, finetune
from feedback_lens.training.tiny import BaseSettings, build_model
from feedback_lens.training.tiny_tokenizer import train_tokenizer
from feedback_lens.training.trainers import TrainSettings

REPEATS = 7
ROWS = {"sft": 96, "kto": 32}  # KTO runs the model six times a row, SFT three
SEED = 1
Rows = Sequence[dict[str, Any]]
Way = Callable[[Rows, Path, TrainSettings, Path], None]


def read_settings() -> tuple[TrainSettings, BaseSettings]:
    """Those of the sample profile, one pass over the rows; all weights are trained and kept."""
    parameters = yaml.safe_load((PROJECT / "params.yaml").read_text())
    train = TrainSettings(**parameters["train"])
    base = BaseSettings(**parameters["train_base"]["settings"])
    return replace(train, epochs=1, lora_rank=0, keep="float32"), base


def make_rows(method: str, count: int) -> Rows:
    """First exchanges of the sample; every second is desirable where the method is KTO."""
    talks = [talk for talk in read_samples(PROJECT / "data/sample") if talk.replies]
    return [
        {
            "conversation_id": talk.conversation_id,
            "turn": 1,
            "prompt": [{"role": "user", "content": talk.user_turns[0]}],
            "completion": [{"role": "assistant", "content": talk.replies[0]}],
            "desirable": None if method == "sft" else number % 2 == 0,
            "held_out": False,
        }
        for number, talk in enumerate(talks[:count])
    ]


def build_base(rows: Rows, settings: BaseSettings, folder: Path) -> Path:
    """A model of the sample's shape with random weights, and its tokenizer."""
    texts = [row[part][0]["content"] for row in rows for part in ("prompt", "completion")]
    tokenizer = train_tokenizer(texts, settings.vocabulary, settings.context)
    build_model(tokenizer, settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train_as_the_stage(rows: Rows, base: Path, settings: TrainSettings, folder: Path) -> None:
    finetune(TrainingSet(rows, folder.name), base, "benchmark", SEED, settings, folder)


def train_plainly(rows: Rows, base: Path, settings: TrainSettings, folder: Path) -> None:
    """The script that one would write with TRL alone."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    examples = [{"prompt": row["prompt"], "completion": row["completion"]} for row in rows]
    common = {
        "output_dir": f"{folder}-run",
        "seed": SEED,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "warmup_steps": settings.warmup_share,
        "max_length": settings.max_length,
        "save_steps": settings.save_every,
        "save_total_limit": 2,
        "logging_steps": 1,
        "report_to": [],
        "bf16": False,
        "activation_checkpointing": False,
        "dataloader_pin_memory": False,
    }
    trainer: Any
    if rows[0]["desirable"] is None:
        arguments = SFTConfig(**common, learning_rate=settings.learning_rate)
        trainer = SFTTrainer(model, arguments, None, Dataset.from_list(examples))
    else:
        labeled = [
            {**example, "label": row["desirable"]}
            for example, row in zip(examples, rows, strict=True)
        ]
        random.Random(SEED).shuffle(labeled)
        trainer = KTOTrainer(
            model,
            args=KTOConfig(**common, learning_rate=settings.kto_learning_rate, beta=settings.beta),
            train_dataset=Dataset.from_list(labeled),
            processing_class=tokenizer,
        )
    trainer.train()
    trainer.save_model(str(folder))
    shutil.rmtree(f"{folder}-run")


WAYS: dict[str, Way] = {"stage": train_as_the_stage, "plain": train_plainly}


@contextlib.contextmanager
def timed_steps(seconds: list[float]) -> Iterator[None]:
    """Time `Trainer.train` alone, whoever calls it."""
    original = transformers.Trainer.train

    def train(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        result = original(*arguments, **options)
        seconds.append(time.perf_counter() - began)
        return result

    transformers.Trainer.train = train
    try:
        yield
    finally:
        transformers.Trainer.train = original


def time_way(
    train: Way, rows: Rows, base: Path, settings: TrainSettings, folder: Path
) -> tuple[dict[str, float], str]:
    """Seconds from rows to weights on disk, of the steps and of the CPU; the weights' hash."""
    steps: list[float] = []
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        timed_steps(steps),
    ):
        began, worked = time.perf_counter(), time.process_time()
        train(rows, base, settings, folder)
        whole, cpu = time.perf_counter() - began, time.process_time() - worked
    return {"whole": whole, "steps": sum(steps), "cpu": cpu}, hash_file(
        folder / "model.safetensors"
    )


def compare(
    method: str, count: int, repeats: int, settings: TrainSettings, shape: BaseSettings
) -> dict[str, Any]:
    """Both ways in turn, the first to go changing, after a round that loads what both need.

    Raises:
        SystemExit: they end in different weights, so they did not do the same work.
    """
    rows = make_rows(method, count)
    rounds: list[dict[str, dict[str, float]]] = []
    weights = set()
    with make_folder() as folder:
        os.environ["DVC_ROOT"] = str(folder)
        base = build_base(rows, shape, folder / "base")
        for turn in range(repeats + 1):
            found = {}
            for way in sorted(WAYS, reverse=bool(turn % 2)):
                # a new name each time: the stage would take up what a run before it has left
                place = folder / f"{way}-{turn}"
                found[way], digest = time_way(WAYS[way], rows, base, settings, place)
                weights.add(digest)
            rounds.append(found)
        tokens = count_tokens(folder / "stage-0")
    if len(weights) != 1:
        raise SystemExit(f"{method}: the two ways end in different weights")
    return {"rows": len(rows), "tokens": tokens, **summarize(rounds[1:], tokens)}


def count_tokens(folder: Path) -> int:
    card = json.loads((folder / "card.json").read_text())
    return int(card["preflight"]["tokens"] * card["parameters"]["epochs"])


def summarize(rounds: Sequence[dict[str, dict[str, float]]], tokens: int) -> dict[str, Any]:
    """For each clock both ways' tokens a second; the rounds' ratio: median, least, greatest."""
    summary = {}
    for clock in ("whole", "steps", "cpu"):
        ratios = [found["plain"][clock] / found["stage"][clock] for found in rounds]
        speeds = {way: tokens / median(found[way][clock] for found in rounds) for way in WAYS}
        summary[clock] = {
            **{f"{way}_tokens_a_second": round(speed) for way, speed in speeds.items()},
            "ratio": [round(value, 3) for value in (median(ratios), min(ratios), max(ratios))],
        }
    return summary


def main() -> None:
    torch.set_num_threads(1)
    settings, shape = read_settings()
    result = {
        method: compare(method, count, REPEATS, settings, shape) for method, count in ROWS.items()
    }
    write_result("training", result)


if __name__ == "__main__":
    main()
