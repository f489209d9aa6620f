"""Texts that differ by little: MinHash finds the candidates, their shingles decide."""

from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

import numpy as np

# of false and of missed candidates: at most 2 of 100 pairs right at the similarity are missed
_WEIGHTS = (0.01, 0.99)


@dataclass(frozen=True)
class Likeness:
    """When two texts are near-duplicates.

    `similarity`: Jaccard of their sets of shingles from which on they are, 0 to 1.
    `shingle`: characters of one; a shorter text is one shingle of its own.
    `permutations`: of MinHash; more miss fewer pairs. `seed`: of MinHash.
    """

    similarity: float
    shingle: int
    permutations: int
    seed: int


def normalize(text: str) -> str:
    """The text as it is compared: without case, a single blank between words."""
    return " ".join(text.casefold().split())


class NearTexts:
    """An index of different, normalized texts.

    Source: Broder 1997 (resemblance of documents); MinHash and its index by datasketch.
    """

    def __init__(self, texts: Iterable[str], likeness: Likeness) -> None:
        # 0.3 s and scipy: for the stage that needs it alone
        from datasketch import MinHash, MinHashLSH

        self._likeness = likeness
        self._texts = list(dict.fromkeys(texts))
        self._numbers = {text: number for number, text in enumerate(self._texts)}
        self._hashes = MinHash.bulk(
            ([s.encode() for s in _cut(text, likeness.shingle)] for text in self._texts),
            num_perm=likeness.permutations,
            seed=likeness.seed,
            hashfunc=crc32,
        )
        self._values = np.array([minhash.hashvalues for minhash in self._hashes])
        self._index = MinHashLSH(likeness.similarity, likeness.permutations, weights=_WEIGHTS)
        for number, minhash in enumerate(self._hashes):
            self._index.insert(number, minhash)

    def rank_candidates(self, text: str) -> list[str]:
        """Other texts that may be near-duplicates of this one of the index, the nearest first."""
        own = self._numbers[text]
        found = np.array(sorted(set(self._index.query(self._hashes[own])) - {own}), dtype=np.int64)
        estimates = (self._values[found] == self._values[own]).mean(axis=1)
        return [self._texts[number] for number in found[np.argsort(-estimates, kind="stable")]]

    def compare(self, one: str, other: str) -> float | None:
        """The Jaccard similarity of near-duplicates; None where it is under that of the rule."""
        first, second = (_cut(text, self._likeness.shingle) for text in (one, other))
        similarity = len(first & second) / len(first | second)
        return similarity if similarity >= self._likeness.similarity else None


def _cut(text: str, size: int) -> set[str]:
    return {text[start : start + size] for start in range(max(1, len(text) - size + 1))}
