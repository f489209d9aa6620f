import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from transformers import TrainerCallback


class StopBySignal(TrainerCallback):  # type: ignore[misc]
    """Ends training with a checkpoint after the step in which SIGTERM or Ctrl-C came.

    A second signal of the kind ends the process at once. Of several processes all stop after the
    same step, whichever of them the signal reached.
    """

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self.signal = signal.SIGTERM
        self.stopped_after: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals while the block runs."""
        kinds = (signal.SIGTERM, signal.SIGINT)
        previous = {kind: signal.signal(kind, self._note) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in previous.items():
                signal.signal(kind, handler)

    def _note(self, number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.signal = signal.Signals(number)
        self._accelerator.set_trigger()
        click.echo(f"{self.signal.name}: stopping with a checkpoint after this step", err=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint and the end; the last step ends by itself."""
        if self._accelerator.check_trigger() and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True
            self.stopped_after = state.global_step


class AtBeginning(TrainerCallback):  # type: ignore[misc]
    """Does something when the model is placed on its devices, and sharded, but not yet trained."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Do it."""
        self._act()
