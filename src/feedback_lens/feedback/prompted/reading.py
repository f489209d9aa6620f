"""What a reply of a prompted detector says of each turn, and how several draws become one label."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

# every entry of a reply is one of these
FATES: Final = (
    "placed",
    "extra",
    "repeated",
    "conflicting",
    "unknown",
    "unplaced",
    "ambiguous",
)
ALIGNMENT: Final = ("entries", *FATES, "missing", "unreadable_replies")


@dataclass(frozen=True)
class Verdict:
    """The label of one turn.

    `listed` tells whether the reply speaks of the turn; `confidence` is the probability of the
    label's own tokens, 0 to 1, null where the server gave none or nothing was said of the turn.
    """

    label: str
    listed: bool
    confidence: float | None


@dataclass(frozen=True)
class Reading:
    """One reply as it was read.

    `outcome` is the call's; `turns` is the number of user turns that were shown, of which all but
    the first are to be labeled; `verdicts` are by turn, and a turn without one is unreadable.
    `alignment` counts, under the names of `ALIGNMENT`, the entries of the reply and what became of
    each (its sum over `FATES` is `entries`): `placed` on a turn; `extra`, of a turn that was not to
    be labeled, or of an assistant's words; `repeated`, saying of a turn what an entry before it
    says; `conflicting` with another entry of its turn; `unknown`, without a turn or a known label;
    `unplaced`, a quotation that fits no turn; `ambiguous`, one that may be of another turn or of a
    reply, or is too short to tell. `missing` are turns that no entry speaks of where each should
    have one, `unreadable_replies` those that are not the JSON object asked for.
    """

    outcome: str
    turns: int
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)
    alignment: Counter[str] = field(default_factory=Counter)

    @property
    def is_readable(self) -> bool:
        """Whether no turn is unreadable; a call without an answer has nothing to be read."""
        return self.outcome != "answered" or len(self.verdicts) >= self.turns - 1


def unreadable(turns: int) -> Reading:
    """An answer that is not the JSON object asked for."""
    return Reading("answered", turns, alignment=Counter(unreadable_replies=1))


def merge_draws(readings: Sequence[Reading], turn: int) -> dict[str, Any]:
    """Label, confidence, `listed` and outcome of a turn by one or more draws of a request.

    The label is the one that most draws give, of several such the one of the earliest draw; the
    confidence is then its share of the draws that could be read, in place of the tokens'. Where
    none could, the outcome is that of the first draw.
    """
    votes = [reading.verdicts[turn] for reading in readings if turn in reading.verdicts]
    if not votes:
        outcome = readings[0].outcome
        outcome = "unreadable" if outcome == "answered" else outcome
        return {"label": None, "confidence": None, "listed": False, "outcome": outcome}
    counts = Counter(vote.label for vote in votes)
    # of equals the first counts
    chosen = max(votes, key=lambda vote: counts[vote.label])
    share = counts[chosen.label] / len(votes)
    return {
        "label": chosen.label,
        "confidence": share if len(readings) > 1 else chosen.confidence,
        "listed": chosen.listed,
        "outcome": "answered",
    }
