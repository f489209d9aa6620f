"""Fine-tuning by a recipe: SFT on regenerated replies, or KTO on replies with labels.

Source: paper section 7.1; TRL's SFTTrainer and KTOTrainer.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from feedback_lens.calls.models import configure_libraries, load_tokenizer, name_local_model
from feedback_lens.errors import InputError
from feedback_lens.tables import write_json
from feedback_lens.training.checkpoints import (
    CARD,
    choose_run_folder,
    find_whole_checkpoint,
    name_versions,
    replaced_folder,
)
from feedback_lens.training.held_out import (
    mean_token_loss,
    measure_log_likelihoods,
    reward_margin,
)
from feedback_lens.training.preflight import EncodedExample, count_preflight, encode_examples
from feedback_lens.training.trainers import (
    Row,
    TrainSettings,
    build_kto_trainer,
    build_sft_trainer,
)

# bytes in them change from run to run, or they say nothing of the model
_LEFT_OUT = {"training_args.bin", "README.md"}


@dataclass(frozen=True)
class TrainingSet:
    """Rows of a training set and the SHA-256 of their file."""

    rows: Sequence[Row]
    sha256: str


def finetune(
    data: TrainingSet,
    base_model: Path,
    recipe: str,
    seed: int,
    settings: TrainSettings,
    checkpoint: Path,
) -> dict[str, Any]:
    """Train a base model on a training set, write the checkpoint's folder and return its card.

    A run that was killed goes on from its newest whole working checkpoint. Same data, base,
    settings and seed on the same kind of CPU and number of threads: same bytes.

    Raises:
        InputError: nothing is left to train on, KTO lacks a class or has batches of one row, or
            max_length is over the base's context.
    """
    configure_libraries()
    method = name_method(data.rows)
    tokenizer = load_tokenizer(base_model)
    length = settings.max_length
    train_rows = [row for row in data.rows if not row["held_out"]]
    kept, dropped = encode_examples(train_rows, tokenizer, length)
    held_out, _ = encode_examples([r for r in data.rows if r["held_out"]], tokenizer, length)
    check_examples(kept, method, recipe, settings)
    preflight = count_preflight(kept, dropped, len(held_out), tokenizer)
    click.echo("\n".join(f"{name}: {value}" for name, value in preflight.items()), err=True)
    identity = {
        "method": method,
        "recipe": recipe,
        "seed": seed,
        "data": {"sha256": data.sha256},
        "base": name_local_model(base_model),
        "parameters": asdict(settings),
    }
    run = choose_run_folder(identity)
    build = build_kto_trainer if method == "kto" else build_sft_trainer
    trainer = build(train_rows, base_model, tokenizer, seed, settings, run)
    results = _train(trainer, held_out, tokenizer.pad_token_id, settings, run)
    if not math.isfinite(results["held_out_loss"]["after"] or 0.0):
        shutil.rmtree(run)
        raise InputError(
            f"recipe {recipe}, seed {seed}: training diverged (the loss is no number); "
            "lower train.learning_rate or train.kto_learning_rate"
        )
    card = {
        **identity,
        "weights": trainer.model.num_parameters(),
        "versions": name_versions(),
        "preflight": preflight,
        **results,
    }
    _write(trainer, card, run, checkpoint)
    return card


def name_method(rows: Sequence[Row]) -> str:
    """`kto` where the rows say what is desirable, else `sft`.

    Raises:
        InputError: no rows, or only some of them say it.
    """
    told = {row["desirable"] is not None for row in rows}
    if len(told) != 1:
        raise InputError(
            "training set: it has no rows; more answered regenerations or a larger split are wanted"
            if not told
            else "training set: `desirable` is null in some rows only; fill it in all (KTO) or none"
        )
    return "kto" if told == {True} else "sft"


def check_examples(
    kept: Sequence[EncodedExample], method: str, recipe: str, settings: TrainSettings
) -> None:
    """Refuse what a trainer would fail on late or train on without sense.

    Raises:
        InputError: as `finetune`.
    """
    if not kept:
        raise InputError(
            f"recipe {recipe}: no row keeps a token of its reply within max_length "
            f"{settings.max_length}; raise train.max_length"
        )
    if method != "kto":
        return
    desirable = sum(bool(example.desirable) for example in kept)
    if desirable in (0, len(kept)):
        raise InputError(
            f"recipe {recipe}: KTO needs both classes and has {desirable} desirable and "
            f"{len(kept) - desirable} undesirable rows; enlarge the splits, or take the recipe out"
        )
    if settings.batch < 2:
        raise InputError(f"recipe {recipe}: train.batch is {settings.batch}; KTO needs 2 or more")


def _train(
    trainer: Any, held_out: Sequence[EncodedExample], pad: int, settings: TrainSettings, run: Path
) -> dict[str, Any]:
    """Train to the end and return the loss curve and the held-out figures for the card."""
    from transformers import ProgressCallback

    from feedback_lens.training.progress import LossBar

    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(LossBar())
    before = _measure(trainer, held_out, pad, settings)
    newest = find_whole_checkpoint(run)
    if newest is not None:
        click.echo(f"resuming from {newest}", err=True)
    trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    after = _measure(trainer, held_out, pad, settings)
    return {
        "loss": {
            str(log["step"]): log["loss"] for log in trainer.state.log_history if "loss" in log
        },
        "held_out_loss": {
            "before": mean_token_loss(held_out, before),
            "after": mean_token_loss(held_out, after),
        },
        "held_out_reward_margin": reward_margin(held_out, before, after, settings.beta),
    }


def _measure(
    trainer: Any, held_out: Sequence[EncodedExample], pad: int, settings: TrainSettings
) -> list[float]:
    with trainer.accelerator.autocast():
        return measure_log_likelihoods(trainer.model_wrapped, held_out, pad, settings.batch)


def _write(trainer: Any, card: Mapping[str, Any], run: Path, checkpoint: Path) -> None:
    """Write the checkpoint whole, then drop the working checkpoints."""
    final = run / "final"
    trainer.save_model(str(final))  # on all processes: each may hold a part of the weights
    if not trainer.is_world_process_zero():
        return
    with replaced_folder(checkpoint) as temporary:
        for path in final.iterdir():
            if path.name not in _LEFT_OUT:
                shutil.move(path, temporary / path.name)
        write_json(card, temporary / CARD)
    shutil.rmtree(run)
