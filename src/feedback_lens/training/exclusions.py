"""Which replies are no examples to train on, and why."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from feedback_lens.analysis.refusal_phrases import says_refusal

RULED = ("refusal_phrase", "leaked")  # left out where the rules say so
# why a candidate may be no example; the first reason that holds counts
REASONS = ("refused", "cut_off", "filtered", "unreadable", "failed", "empty", *RULED)
Row = Mapping[str, Any]
Keys = set[tuple[str, str, int]]  # split, conversation and turn


@dataclass(frozen=True)
class AssemblyRules:
    """What is no example, and what is kept for evaluation.

    `held_out_share`: of conversations, by a hash of their id; of KTO's desirable and undesirable
    rows alike. `drop_refusals`: whether a reply to learn from is left out that has a refusing
    phrase in its first `refusal_opening` characters. `drop_leaked`: whether a row is left out whose
    prompt is a benchmark's, or nearly.
    """

    held_out_share: float
    drop_refusals: bool
    refusal_opening: int
    drop_leaked: bool

    def is_dropped(self, reason: str) -> bool:
        """Whether a reply is left out for a reason; one that is not whole always is."""
        choices = {"refusal_phrase": self.drop_refusals, "leaked": self.drop_leaked}
        return choices.get(reason, True)


@dataclass(frozen=True)
class Candidate:
    """A reply that a recipe could learn from, to a row of `SPLITS`.

    `outcome` is that of the call that wrote it, `answered` where the log has it; `desirable` is
    KTO's label.
    """

    row: Row
    reply: str | None
    outcome: str
    desirable: bool | None


@dataclass
class Sifted:
    """The candidates that are examples (`kept`), and counts of reasons.

    `excluded`: of those left out, by their first reason. `despite`: of those kept although a reason
    of `RULED` holds.
    """

    kept: list[Candidate] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    despite: Counter[str] = field(default_factory=Counter)


def sift(candidates: Iterable[Candidate], leaked: Keys, rules: AssemblyRules) -> Sifted:
    """Tell examples from other candidates."""
    found = Sifted()
    for candidate in candidates:
        reasons = list(_list_reasons(candidate, leaked, rules.refusal_opening))
        dropped = [reason for reason in reasons if rules.is_dropped(reason)]
        found.excluded.update(dropped[:1])
        if not dropped:
            found.kept.append(candidate)
            found.despite.update(reasons)
    return found


def find_leaked_rows(leakage: Iterable[Row], splits: Collection[str]) -> Keys:
    """Split, conversation and turn of the rows whose prompt a benchmark has, or nearly has."""
    return {
        (row["split"], row["conversation_id"], row["turn"])
        for row in leakage
        if row["other"] not in splits and row["kind"] in ("duplicate", "near_duplicate")
    }


def _list_reasons(candidate: Candidate, leaked: Keys, opening: int) -> Iterator[str]:
    """All reasons against the candidate, in the order of `REASONS`."""
    row, reply = candidate.row, candidate.reply or ""
    if candidate.outcome != "answered":
        yield candidate.outcome
    elif not reply.strip():
        yield "empty"
    # a refusal that was criticized is what KTO should unlearn
    if candidate.desirable is not False and says_refusal(reply[:opening]):
        yield "refusal_phrase"
    if (row["split"], row["conversation_id"], row["turn"]) in leaked:
        yield "leaked"
