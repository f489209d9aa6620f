from typing import Any

from transformers import ProgressCallback


class LossBar(ProgressCallback):  # type: ignore[misc]
    """The trainer's progress bar with the last loss beside it, instead of a line a step."""

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Show the loss of the step that was just logged."""
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{float(logs['loss']):.3f}")
