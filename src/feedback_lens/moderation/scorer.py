"""What scores a text, in the response store's terms: what is asked, and how a reply is read."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from feedback_lens.calls.request import Outcome, Request, Response
from feedback_lens.calls.sender import Sender

Verdict = tuple[float | None, Outcome]


@dataclass(frozen=True)
class Scorer:
    """One way to score texts.

    `name` is what the parameters call it, `model` the name that its scores are kept under.
    `question` is what is asked about a text; model, question and text make the key of a score.
    `read` finds the score in the JSON of a reply, by `LookupError` or `TypeError` where it is not
    there; `open_sender` opens what is asked for a stage, and `find_obstacle` says why it may not
    be asked, to end a sentence (None where it may).
    """

    name: str
    model: str
    question: Mapping[str, Any]
    read: Callable[[Any], Any]
    open_sender: Callable[[str], Sender]
    find_obstacle: Callable[[], str | None]

    def request(self, text: str) -> Request:
        """The request for the score of a text."""
        message = {"role": "user", "content": text}
        return Request(self.model, (message,), response_format=self.question)

    def read_verdict(self, response: Response) -> Verdict:
        """The score (0 to 1, null where there is none) and the outcome of a reply.

        Raises:
            InputError: the reply is whole, and holds no such score because of a parameter.
        """
        if response.outcome != "answered":
            return None, response.outcome
        try:
            score = self.read(json.loads(response.text or ""))
        except (LookupError, TypeError, ValueError, RecursionError):
            return None, "unreadable"
        return (float(score), "answered") if _is_score(score) else (None, "unreadable")


def _is_score(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= 1
