"""A regenerated reply as edits of the original one, so that the page holds no text twice."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

LONGEST = 2000  # words of either reply that are still compared: time grows faster than they do
SHORTEST = 3  # words that are kept between two changes: fewer only tear a reader's sentence apart
_WORD = re.compile(r"\S+\s*|\s+")


def list_edits(original: str, text: str) -> tuple[list[int | str], bool]:
    """The edits that make `text` of `original`, word by word, and whether the two were compared.

    A positive number keeps and a negative one deletes so many UTF-16 units of the original, as
    JavaScript counts them; a string is inserted. Where one of the two is longer than `LONGEST`
    words, they are not compared, and all is deleted and inserted.
    """
    old, new = _WORD.findall(original), _WORD.findall(text)
    compared = max(len(old), len(new)) <= LONGEST
    edits: list[int | str] = []
    old_end = new_end = 0
    for old_start, new_start, words in _match(old, new) if compared else [(len(old), len(new), 0)]:
        deleted, inserted = old[old_end:old_start], "".join(new[new_end:new_start])
        edits += [-_measure(deleted)] if deleted else []
        edits += [inserted] if inserted else []
        old_end, new_end = old_start + words, new_start + words
        edits += [_measure(old[old_start:old_end])] if words else []
    return edits, compared


def _match(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Places of what both hold, and its words; the last has none and stands at both ends."""
    blocks = SequenceMatcher(None, old, new).get_matching_blocks()
    for a, b, size in blocks:
        first = a == b == 0
        last = (a + size, b + size) == (len(old), len(new))
        if size >= SHORTEST or first or last:
            yield a, b, size


def _measure(words: Sequence[str]) -> int:
    return sum(len(word.encode("utf-16-le")) for word in words) // 2
