"""Quotations of a conversation, matched back to the user turns that they are taken from.

Source: Don-Yehiya et al. 2024 match what the model lists by its text. A quotation that may be of
more than one turn is not placed here: nothing is guessed.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Final, Literal

from feedback_lens.logs.conversation import Conversation

Place = int | Literal["extra", "unplaced", "ambiguous"]
CLOSE: Final = 0.85  # of difflib's ratio from which a misquoted text is taken for a turn's
MARGIN: Final = 0.1  # by which it has to beat the next turn
COMPARED: Final = 200  # characters at the beginning: they tell texts apart, and the ratio is slow
# a shorter quotation is compared with whole turns alone: many turns begin with a "no"
LEAST_BEGINNING: Final = 20
# characters, those as wide as two as two; a shorter part of a turn could be anybody's "you"
LEAST_PART: Final = 8
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2035`\xb4\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u2036\xab\xbb\u300c\u300d", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)


class _Shown(dict[int, int | None]):
    """Code points by code point; null for those that do not show, blanks aside."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        hides = unicodedata.category(character) in ("Cc", "Cf", "Cs") and not character.isspace()
        self[code] = found = None if hides else code
        return found


_SHOWN = _Shown()
_ELLIPSIS = re.compile(r"\.{3,}")
_BLANK = re.compile(r"\s+")
_SENTENCE_ENDS = frozenset(".!?\u3002\uff61\u061f\u06d4\u0964")


def place_quotes(quotes: Sequence[str], conversation: Conversation) -> list[Place]:
    """The user turn that each quotation is of, where that is certain.

    A quotation is of a turn after the first that it equals but for case, blanks, kinds of quotes,
    and punctuation around it; else of the only one that holds it, as whole words, or, where it
    leaves words out by an ellipsis, its parts in order; else of the one that it is close to. Equal
    turns are taken in order where they are as many as the quotations that equal them.

    Of what a turn holds, a part of at least `LEAST_PART` characters is certain where neither the
    first turn nor a reply holds it too. Whole sentences at its beginning, which the prompt allows,
    need but one of the two: a user repeats a question, or begins with a short "No.".

    `extra` is a quotation of the first turn or of a reply alone; `unplaced` fits nothing; the rest
    is `ambiguous`.
    """
    turns = {
        number: _fold_lines(text)
        for number, text in enumerate(conversation.user_turns, 1)
        if number > 1
    }
    others = [fold(text) for text in (conversation.user_turns[0], *conversation.replies)]
    members: dict[str, list[int]] = {}
    for index, quote in enumerate(quotes):
        members.setdefault(fold(quote), []).append(index)
    places: dict[int, Place] = {}
    for quote, indexes in members.items():
        equal = [number for number, text in turns.items() if _join(text) == quote]
        if quote and len(equal) == len(indexes):
            places.update(zip(indexes, equal, strict=True))
        else:
            places.update(dict.fromkeys(indexes, _place(quote, equal, turns, others)))
    return [places[index] for index in range(len(quotes))]


def fold(text: str) -> str:
    """A text as it is compared: NFKC, lower case, one blank, straight quotes, bare of punctuation.

    Characters that do not show are left out; a text of nothing but punctuation keeps it.
    """
    return _join(_fold_lines(text))


def unify(text: str) -> str:
    """NFKC, with one kind of single and double quotes and dashes."""
    return unicodedata.normalize("NFKC", text.translate(_ALIKE)).translate(_ALIKE)


def _fold_lines(text: str) -> str:
    """A text as `fold` gives it, character for character, with the ends of its lines."""
    shown = unify(text).casefold().translate(_SHOWN).strip()
    blank = _BLANK.sub(lambda found: "\n" if "\n" in found[0] else " ", shown)
    outer = (character for character in set(blank) if _is_outer(character))
    return blank.strip("".join(outer)) or blank


def _join(lines: str) -> str:
    return lines.replace("\n", " ")


def _is_outer(character: str) -> bool:
    return character.isspace() or unicodedata.category(character).startswith("P")


def _place(
    quote: str, equal: Sequence[int], lines: Mapping[int, str], others: Sequence[str]
) -> Place:
    if not quote:
        return "unplaced"
    if equal:
        return equal[0] if len(equal) == 1 else "ambiguous"
    turns = {number: _join(text) for number, text in lines.items()}
    holders = [number for number, text in turns.items() if _holds(text, quote)]
    is_elsewhere = any(_holds(text, quote) for text in others)
    if not holders:
        return "extra" if is_elsewhere or quote in others else _find_close(quote, turns, others)
    doubts = is_elsewhere + _is_short(quote)
    allowed = int(_begins(lines[holders[0]], quote))
    return holders[0] if len(holders) == 1 and doubts <= allowed else "ambiguous"


def _is_short(quote: str) -> bool:
    """Whether even the longest part of a quotation has too few characters to be certain."""
    return all(
        sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in part) < LEAST_PART
        for part in _cut_parts(quote)
    )


def _begins(lines: str, quote: str) -> bool:
    """Whether a longer text begins with a quotation that ends where a sentence or a line does."""
    if not _join(lines).startswith(quote):
        return False
    rest = lines[len(quote) :]
    between = "".join(takewhile(_is_outer, rest))
    if "\n" in between:
        return True
    # scripts without case may have no blank after the mark; 2.5 and example.com have none
    is_apart = " " in between or not _is_of_word(rest[len(between) :][:1])
    return is_apart and not _SENTENCE_ENDS.isdisjoint(between)


def _find_close(quote: str, turns: Mapping[int, str], others: Sequence[str]) -> Place:
    scores = sorted(((_compare(quote, text), number) for number, text in turns.items()))
    other = max(_compare(quote, text) for text in others)
    best, number = scores[-1] if scores else (0.0, 0)
    if best < CLOSE:
        return "extra" if other >= CLOSE else "unplaced"
    rival = scores[-2][0] if len(scores) > 1 else 0.0
    return number if best - rival >= MARGIN and best > other else "ambiguous"


def _compare(quote: str, text: str) -> float:
    """How alike the quotation is to the whole text or, where it is long enough, its beginning."""
    quote, text = quote[:COMPARED], text[:COMPARED]
    beginnings = {text}
    if len(quote) >= LEAST_BEGINNING:
        beginnings.add(text[: len(quote)])
    return max(_ratio(quote, beginning) for beginning in beginnings)


def _ratio(quote: str, text: str) -> float:
    matcher = SequenceMatcher(None, quote, text, autojunk=False)
    # upper bounds, which are cheap
    if matcher.real_quick_ratio() < CLOSE - MARGIN or matcher.quick_ratio() < CLOSE - MARGIN:
        return 0.0
    return matcher.ratio()


def _holds(text: str, quote: str) -> bool:
    """Whether a text holds the parts of a quotation, in order and as whole words."""
    position = 0
    for part in _cut_parts(quote):
        position = _find_words(text, part, position)
        if position < 0:
            return False
    return position > 0


def _cut_parts(quote: str) -> list[str]:
    return [part for part in map(fold, _ELLIPSIS.split(quote)) if part]


def _find_words(text: str, part: str, start: int) -> int:
    """Where a part that stands in the text as whole words ends; -1 where it does not."""
    while (found := text.find(part, start)) >= 0:
        end = found + len(part)
        if not _joins(text[found - 1 : found], part[0]) and not _joins(part[-1], text[end:][:1]):
            return end
        start = found + 1
    return -1


def _joins(left: str, right: str) -> bool:
    """Whether two characters stand in one word."""
    return bool(left and right) and _is_of_word(left) and _is_of_word(right)


def _is_of_word(character: str) -> bool:
    """Whether a word goes on beside the character; scripts without case may have no blanks."""
    return character.isdigit() or character.lower() != character.upper()
