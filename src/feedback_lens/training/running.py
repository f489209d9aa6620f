"""A training run from its newest working checkpoint to its end, and what is measured on the way."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from feedback_lens.tables import replaced
from feedback_lens.training.checkpoints import BEFORE, find_whole_checkpoint
from feedback_lens.training.held_out import (
    mean_token_loss,
    measure_log_likelihoods,
    reward_margin,
)
from feedback_lens.training.launching import is_first_process
from feedback_lens.training.preflight import EncodedExample
from feedback_lens.training.trainers import TrainSettings

# TRL's names of KTO's implicit rewards in its log
_REWARDS = ("chosen", "rejected", "margins")


class Stopped(click.ClickException):
    """A signal ended the training, which the next run goes on with."""

    exit_code = os.EX_TEMPFAIL

    def __init__(self, signal: Any, step: int, steps: int) -> None:
        super().__init__(
            f"{signal.name} stopped the training after step {step} of {steps}; "
            "the next run goes on from there"
        )


def train_to_the_end(
    trainer: Any, held_out: Sequence[EncodedExample], pad: int, settings: TrainSettings, run: Path
) -> dict[str, Any]:
    """Train and return the card's curves and held-out figures.

    Returns:
        `loss` (step -> mean loss of the step), `rewards` (KTO, else null: `chosen`, `rejected` and
        `margins`, each step -> mean implicit reward of the step's rows), `held_out_loss` (`before`
        and `after`, nats a token) and
        `held_out_reward_margin` with `held_out_reward_margin_error` (standard error over rows).

    Raises:
        Stopped: SIGTERM or Ctrl-C came.
    """
    newest = find_whole_checkpoint(run)
    note = run / BEFORE

    def measure() -> list[float]:
        with trainer.accelerator.autocast():
            return measure_log_likelihoods(trainer.model_wrapped, held_out, pad, settings.batch)

    def measure_before() -> None:
        # a resumed run no longer holds the weights before training
        if newest is None:
            _write(measure(), note)

    _run(trainer, newest, measure_before)
    before, after = json.loads(note.read_text(encoding="utf-8")), measure()
    margin, error = reward_margin(held_out, before, after, settings.beta)
    return {
        **_read_curves(trainer.state.log_history),
        "held_out_loss": {
            "before": mean_token_loss(held_out, before),
            "after": mean_token_loss(held_out, after),
        },
        "held_out_reward_margin": margin,
        "held_out_reward_margin_error": error,
    }


def has_diverged(trainer: Any, card: Mapping[str, Any]) -> bool:
    """Whether a loss, a reward or a weight that was trained is no finite number.

    Each process looks at the weights that it holds; all of them get the same answer.
    """
    import torch

    trained = (w for w in trainer.model_wrapped.parameters() if w.requires_grad)
    # of a sharded weight this process's part
    parts = (w.to_local() if hasattr(w, "to_local") else w for w in trained)
    lost = sum(not bool(torch.isfinite(part).all()) for part in parts)
    curves = (card["loss"], *(card["rewards"] or {}).values())
    told = [value for curve in curves for value in curve.values()]
    lost += not all(map(math.isfinite, [*told, card["held_out_loss"]["after"] or 0.0]))
    counts = trainer.accelerator.gather(torch.tensor([lost], device=trainer.accelerator.device))
    return bool(counts.any())


def _run(trainer: Any, newest: Path | None, measure_before: Any) -> None:
    from transformers import ProgressCallback

    from feedback_lens.training.callbacks import AtBeginning, StopBySignal
    from feedback_lens.training.progress import LossBar

    stop = StopBySignal(trainer.accelerator)
    trainer.remove_callback(ProgressCallback)
    for callback in (LossBar(), AtBeginning(measure_before), stop):
        trainer.add_callback(callback)
    if newest is not None and is_first_process():
        click.echo(f"resuming from {newest}", err=True)
    with stop.listening():
        trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    if stop.stopped_after is not None:
        raise Stopped(stop.signal, stop.stopped_after, trainer.state.max_steps)


def _write(values: Sequence[float], path: Path) -> None:
    """Write the values to the last digit."""
    if is_first_process():
        with replaced(path) as temporary:
            temporary.write_text(json.dumps(values), encoding="utf-8")


def _read_curves(log: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def curve(name: str) -> dict[str, float]:
        return {str(entry["step"]): entry[name] for entry in log if name in entry}

    rewards = {name: curve(f"rewards/{name}") for name in _REWARDS}
    return {"loss": curve("loss"), "rewards": rewards if any(rewards.values()) else None}
