"""What would be asked: inside `planning()` no model is asked, and what is missing is tallied."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from feedback_lens.calls.request import Delivery, Request


class Planned(Exception):  # noqa: N818  # an end, not an error
    """The end of a stage in planning: it asked for replies that are not kept yet."""


@dataclass
class Demand:
    """What one stage asks of one model.

    `kept`: replies that store or snapshot hold; `calls`: requests that would be sent, with the
    characters of their prompts.
    """

    kept: int = 0
    calls: int = 0
    prompt_characters: int = 0

    def add(self, request: Request) -> None:
        """Count a request that would be sent."""
        self.calls += 1
        self.prompt_characters += sum(len(message["content"]) for message in request.messages)


@dataclass
class PlanTally:
    """The demands so far, by purpose (stage) and model."""

    demands: dict[tuple[str, str], Demand] = field(default_factory=dict)

    def demand(self, purpose: str, model: str) -> Demand:
        """The demand of a stage of a model, a new one where there is none yet."""
        return self.demands.setdefault((purpose, model), Demand())


_tally: ContextVar[PlanTally | None] = ContextVar("plan", default=None)


@contextmanager
def planning() -> Iterator[PlanTally]:
    """Let no model be asked inside the block: an ask that misses replies raises `Planned`."""
    tally = PlanTally()
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


def current_plan() -> PlanTally | None:
    """The tally of the `planning` block around the caller; None outside of one."""
    return _tally.get()


class PlanSender:
    """Tallies requests in place of sending them."""

    takes_turns = False

    def __init__(self, demand: Demand) -> None:
        self._demand = demand

    def has_room(self) -> bool:
        """Always: nothing is sent."""
        return True

    def start(self, request: Request) -> None:
        """Count the request."""
        self._demand.add(request)

    def collect(self) -> list[Delivery]:
        """Nothing is under way."""
        return []

    def finish(self) -> None:
        """End the stage.

        Raises:
            Planned: always; a sender is opened only where something is missing.
        """
        raise Planned

    def close(self) -> list[Delivery]:
        """Nothing is under way."""
        return []
