"""Texts that differ by little: MinHash finds the candidates, their shingles decide."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

# of false and of missed candidates: at most 2 of 100 pairs right at the similarity are missed
_WEIGHTS = (0.01, 0.99)
# a candidate's estimate may be this many standard errors under the similarity: of 1,000 pairs right
# at it 2 more are missed, and of templated prompts (half the shingles alike) 19 in 20 are skipped
_ERRORS = 3
# compared pairs to remember, so that a pair found from both sides is compared once; under 100 MB
_REMEMBERED = 2**18


Shingles = NDArray[np.int64]


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
        self._values = np.array([m.hashvalues for m in self._hashes], dtype=np.uint32)
        self._index = MinHashLSH(likeness.similarity, likeness.permutations, weights=_WEIGHTS)
        for number, minhash in enumerate(self._hashes):
            self._index.insert(number, minhash)
        self._shingles: dict[str, Shingles] = {}
        self._measure = lru_cache(_REMEMBERED)(self._intersect)

    def rank_candidates(self, text: str) -> list[str]:
        """Other texts that may be near-duplicates of this one of the index, the nearest first."""
        own = self._numbers[text]
        found = np.array(sorted(set(self._index.query(self._hashes[own])) - {own}), dtype=np.int64)
        estimates = (self._values[found] == self._values[own]).mean(axis=1)
        order = np.argsort(-estimates, kind="stable")
        likely = order[estimates[order] >= _lower(self._likeness)]
        return [self._texts[number] for number in found[likely]]

    def compare(self, one: str, other: str) -> float | None:
        """The Jaccard similarity of near-duplicates; None where it is under that of the rule."""
        similarity = self._measure(*sorted((one, other)))
        return similarity if similarity >= self._likeness.similarity else None

    def _intersect(self, one: str, other: str) -> float:
        first, second = self._hash(one), self._hash(other)
        same = len(np.intersect1d(first, second, assume_unique=True))
        return same / (len(first) + len(second) - same)

    def _hash(self, text: str) -> Shingles:
        """Hashes of the text's shingles, 8 bytes each, kept of texts that are compared alone."""
        if text not in self._shingles:
            cut = _cut(text, self._likeness.shingle)
            self._shingles[text] = np.fromiter(map(hash, cut), np.int64, len(cut))
        return self._shingles[text]


def _lower(likeness: Likeness) -> float:
    """The least MinHash estimate of a candidate: its error is that of a share of permutations."""
    similarity = likeness.similarity
    return similarity - _ERRORS * sqrt(similarity * (1 - similarity) / likeness.permutations)


def _cut(text: str, size: int) -> set[str]:
    return {text[start : start + size] for start in range(max(1, len(text) - size + 1))}
