from typing import Protocol

from feedback_lens.calls.request import Delivery, Request


class Sender(Protocol):
    """What asks a model. What `collect` returned is durable before any further method is called.

    `takes_turns`: only one process with the same store may ask the same model for a stage.
    """

    takes_turns: bool

    def has_room(self) -> bool:
        """Whether one more request may be started."""

    def start(self, request: Request) -> None:
        """Ask; called only where there is room."""

    def collect(self) -> list[Delivery]:
        """Wait for at least one answer; an empty list when nothing is under way any more.

        Raises:
            InputError: nothing is under way, and no more can be started.
        """

    def finish(self) -> None:
        """Tell how it went, when nothing is under way any more.

        Raises:
            InputError: requests got no answer.
        """

    def close(self) -> list[Delivery]:
        """Abandon what is under way; returns answers that had arrived."""
