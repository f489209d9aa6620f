import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from feedback_lens.calls.problem import Problem
from feedback_lens.errors import InputError

# different reasons that are named in a message
REASONS = 3


class Losses:
    """Requests that got no answer after all tries, and why."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._reasons: Counter[str] = Counter()
        self.answers = 0

    def note(self, words: str, requests: int = 1) -> None:
        """Count requests that met the same."""
        self._reasons[words] += requests

    def report(self) -> None:
        """Tell of the losses.

        Raises:
            InputError: there are some.
        """
        if not self._reasons:
            return
        reasons = "; ".join(words for words, _ in self._reasons.most_common(REASONS))
        raise InputError(
            f"{self._purpose}: {self._reasons.total()} requests got no answer ({reasons}); "
            f"{self.answers} were answered and are kept: run again"
        )


@dataclass
class Patience:
    """Bears trouble with the server for so many seconds; `say` shows the user a line."""

    purpose: str
    seconds: float
    say: Callable[[str], None]
    _since: float | None = field(default=None, init=False)

    def bear(self, problem: Problem) -> None:
        """Note trouble.

        Raises:
            InputError: it lasts too long, or will not pass.
        """
        now = time.monotonic()
        if self._since is None and problem.passing:
            self.say(f"waits for the server, {self.seconds:g} s at most ({problem.words})")
        self._since = self._since or now
        lasted = now - self._since
        if problem.passing and lasted <= self.seconds:
            return
        check = "check key, OPENAI_BASE_URL and account, then " if problem.hopeless else ""
        for_long = f" for {lasted:.0f} s" if problem.passing else ""
        raise InputError(
            f"{self.purpose}: the Batch API cannot be used{for_long} ({problem.words}); what was "
            f"answered is kept, and batches go on at the server: {check}run again"
        )

    def calm(self) -> None:
        """The trouble is over."""
        self._since = None
