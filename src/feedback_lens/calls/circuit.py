from feedback_lens.calls.problem import Problem, advise_on_logprobs, refuses_logprobs
from feedback_lens.errors import InputError

# so many requests in a row, each after all retries, without an answer: it stays down
PATIENCE = 16


class Circuit:
    """Opens when sending more is hopeless: a problem that all would meet, or a server down."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._worst: Problem | None = None
        self._losses = 0
        self._in_a_row = 0
        self._answers = 0
        self._stopped = False

    @property
    def is_open(self) -> bool:
        """Whether no more requests should be sent."""
        return self._stopped or self._in_a_row >= PATIENCE

    def note_answer(self) -> None:
        """A request got its answer."""
        self._answers += 1
        self._in_a_row = 0

    def note_loss(self, problem: Problem, stop: bool = False) -> None:
        """A request got no answer after all its tries; with `stop`, none would fare better."""
        self._losses += 1
        self._in_a_row += 1
        if self._worst is None or not self._worst.hopeless:
            self._worst = problem
        is_general = not (problem.of_request and self._answers)
        self._stopped |= stop or (problem.hopeless and is_general)

    def note_abandoned(self) -> None:
        """A request was not sent any more, as the circuit is open."""
        self._losses += 1

    def report(self) -> None:
        """Tell of the losses.

        Raises:
            InputError: there are some.
        """
        if self._worst is None:
            return
        stopped = "; no more were sent" if self.is_open else ""
        raise InputError(
            f"{self._purpose}: {self._losses} requests got no answer ({self._worst.words})"
            f"{stopped}; {self._answers} were answered and are kept: {self._advise()}run again"
        )

    def _advise(self) -> str:
        words = self._worst.words if self._worst else ""
        if self._worst and self._worst.hopeless and refuses_logprobs(words):
            return f"{advise_on_logprobs(self._purpose)}, then "
        if "quota" in words or "billing" in words:
            return "add credit to the account or raise its limit, then "
        if self._answers and not self._stopped:
            return ""
        return "check key, OPENAI_BASE_URL and model, then "
