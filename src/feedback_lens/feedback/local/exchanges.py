"""What a user turn has in common with the exchange before it, and the cues that it holds."""

import math
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from feedback_lens.feedback.local.tokens import Reading, load_tokens

T = TypeVar("T")

# words of the turn, each a token of its own
_TURN_CUES: Final = {
    "addresses_assistant": "you your yours",
    "denies": "no not don doesn didn isn wasn never without wrong nothing t but instead still only",
    "asks_why": "why which how what where who when",
    "praises": "thanks thank great perfect nice lovely love works good wonderful excellent exactly",
}
_CLAIMS: Final = "said asked wanted meant mean want need requested told wrote gave"
_APOLOGIES: Final = "sorry apologize apologies apology oversight mistake confusion"
_AGREEMENTS: Final = "right correct"
# a reply apologizes in its first sentences and agrees in its first words
_APOLOGY_TOKENS: Final = 30
_AGREEMENT_TOKENS: Final = 8


@dataclass(frozen=True)
class Exchange:
    """A user turn u_i, the turn u_(i-1) before it, the reply m_(i-1) that it speaks of.

    `earlier` are the content words of all turns before u_i.
    """

    turn: Reading
    previous: Reading
    reply: Reading
    earlier: Set[int]


def describe_exchange(exchange: Exchange) -> dict[str, float]:
    """The features of an exchange by name: shares of words (0 to 1), cues (0 or 1)."""
    return {
        **_measure_overlap(exchange),
        **_find_marks(exchange),
        **_find_cues(exchange),
    }


def _measure_overlap(exchange: Exchange) -> dict[str, float]:
    turn, previous, reply = exchange.turn, exchange.previous, exchange.reply
    words = turn.content
    numbers = words & load_tokens().digits
    return {
        "turn_in_previous": _share(words, previous.content),
        "turn_in_reply": _share(words, reply.content),
        "turn_in_both": _share(words, previous.content | reply.content),
        "turn_in_earlier": _share(words, exchange.earlier),
        "previous_in_turn": _share(previous.content, words),
        "replied_words_asked_for": _share(words & reply.content, previous.content),
        "asked_words_replied": _share(words & previous.content, reply.content),
        "pairs_in_previous": _share(turn.pairs, previous.pairs),
        "pairs_in_reply": _share(turn.pairs, reply.pairs),
        # of the turn alone and beside the one before: replies of real logs are several times as
        # long as the sample's
        "turn_length": math.log1p(len(turn.tokens)),
        "length_ratio": math.log1p(len(turn.tokens)) - math.log1p(len(previous.tokens)),
        "near_previous": float(turn.vector @ previous.vector),
        "near_reply": float(turn.vector @ reply.vector),
        "number": bool(numbers),
        "number_of_reply": bool(numbers & reply.content),
        "number_of_previous": bool(numbers & previous.content),
    }


def _find_marks(exchange: Exchange) -> dict[str, bool]:
    turn, reply = exchange.turn.text, exchange.reply.text
    return {
        "question": "?" in turn,
        "ends_in_question": turn.rstrip().endswith("?"),
        "several_questions": turn.count("?") > 1,
        "exclamation": "!" in turn,
        "quotes": turn.count('"') > 1,
        "ellipsis": "..." in turn,
        "lines": "\n" in turn,
        "code": "```" in turn,
        "code_in_reply": "```" in reply,
        "reply_ends_in_question": reply.rstrip().endswith("?"),
    }


def _find_cues(exchange: Exchange) -> dict[str, bool]:
    tokens, reply = exchange.turn.tokens, exchange.reply.tokens
    cues = _load_cues()
    found = {name: not cues[name].isdisjoint(tokens) for name in _TURN_CUES}
    return found | {
        "begins_with_assistant": not cues["addresses_assistant"].isdisjoint(tokens[:1]),
        "begins_with_why": not cues["asks_why"].isdisjoint(tokens[:1]),
        "claims": any(
            first in cues["user"] and second in cues["claims"]
            for first, second in exchange.turn.pairs
        ),
        "reply_apologizes": not cues["apologies"].isdisjoint(reply[:_APOLOGY_TOKENS]),
        "reply_agrees": not cues["agreements"].isdisjoint(reply[:_AGREEMENT_TOKENS]),
    }


@cache
def _load_cues() -> dict[str, frozenset[int]]:
    words = _TURN_CUES | {
        "user": "i",
        "claims": _CLAIMS,
        "apologies": _APOLOGIES,
        "agreements": _AGREEMENTS,
    }
    return {name: load_tokens().find(several) for name, several in words.items()}


def _share(some: Set[T], others: Set[T]) -> float:
    return len(some & others) / len(some) if some else 0.0
