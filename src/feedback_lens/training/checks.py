"""What cannot be trained on, refused before hours are spent on it."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from feedback_lens.calls.models import context_of, find_base
from feedback_lens.errors import InputError
from feedback_lens.training.preflight import EncodedExample
from feedback_lens.training.trainers import Row, TrainSettings


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


def check_settings(base_model: Path, recipe: str, method: str, settings: TrainSettings) -> None:
    """Refuse settings that contradict each other, the recipe or the base.

    Raises:
        InputError: they do, or one is no finite number.
    """
    for name, value in asdict(settings).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"train.{name} is {value}; a finite number is wanted")
    # other names may stand for either: rows of one's own have a recipe of any name
    if method == "sft" and recipe.startswith("kto"):
        raise InputError(
            f"recipe {recipe}: KTO needs rows that say in `desirable` which class they are of, and "
            "it is null in these; name the recipe otherwise for SFT, or take other rows"
        )
    if settings.keep == "adapter" and not settings.lora_rank:
        raise InputError(
            "train.keep is adapter and train.lora_rank 0, which trains all weights; "
            "set train.keep to float32 or bfloat16, or a rank"
        )
    if method == "kto" and settings.batch < 2:
        raise InputError(f"recipe {recipe}: train.batch is {settings.batch}; KTO needs 2 or more")
    if find_base(base_model):
        raise InputError(
            f"{base_model}: an adapter is no base to train; train with train.keep: float32 first"
        )
    _check_context(base_model, settings.max_length)


def _check_context(base_model: Path, max_length: int) -> None:
    """Refuse rows that the base would run on and fail silently; before any is tokenized."""
    from transformers import AutoConfig

    if not (base_model / "config.json").is_file():
        return  # told by who reads the model
    context = context_of(AutoConfig.from_pretrained(base_model))
    if max_length > context:
        raise InputError(
            f"train.max_length {max_length} is over the model's context of {context} tokens "
            f"({base_model}); lower train.max_length"
        )


def check_examples(
    kept: Sequence[EncodedExample], method: str, recipe: str, settings: TrainSettings
) -> None:
    """Refuse what a trainer would fail on late or train on without sense.

    Raises:
        InputError: no row is left to train on, or KTO lacks a class.
    """
    if not kept:
        raise InputError(
            f"recipe {recipe}: no row keeps a token of its reply within max_length "
            f"{settings.max_length}; raise train.max_length"
        )
    desirable = sum(bool(example.desirable) for example in kept)
    if method == "kto" and desirable in (0, len(kept)):
        raise InputError(
            f"recipe {recipe}: KTO needs both classes and has {desirable} desirable and "
            f"{len(kept) - desirable} undesirable rows; enlarge the splits, or take the recipe out"
        )
