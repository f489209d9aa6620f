"""Words as all-MiniLM-L6-v2 sees them: its word pieces and the vector of each, without the model.

Looking a vector up costs a small part of running the model. The tokenizer parts words of every
script, also of those without blanks; its vocabulary is English, with letters and signs of others.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_lens.feedback.local.embedding import WIDTH, find_model

Vector = npt.NDArray[np.float32]

# what matters of a text stands in its beginning; replies in real logs are several times as long as
# those of the sample, and all their words would say less of what a turn shares with them
MAX_CHARACTERS = 1000
_FILLERS = (
    "a an the of to in on for and or is are was it i you my me your with that this be as at s"
)
_EMBEDDINGS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Reading:
    """A text and what was read of its beginning.

    `tokens` are ids of word pieces in order, `content` those of words that carry meaning, `pairs`
    the neighbors, `vector` the unit-length mean of the tokens' vectors, shape `(384,)` (zero
    without tokens).
    """

    text: str
    tokens: list[int]
    content: frozenset[int]
    pairs: frozenset[tuple[int, int]]
    vector: Vector


@dataclass(frozen=True)
class TokenTable:
    """The tokenizer, the unit-length vector of each token, shape `(tokens, 384)`, and its words."""

    tokenizer: Any
    vectors: Vector
    identifiers: dict[str, int]
    content: frozenset[int]
    digits: frozenset[int]

    def find(self, words: str) -> frozenset[int]:
        """The ids of words, separated by blanks; a word that is no token is a KeyError."""
        return frozenset(self.identifiers[word] for word in words.split())

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """What stands in each text."""
        # one text after another: the tokenizer's own batches would take all cores
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> Reading:
        tokens = self.tokenizer.encode(text[:MAX_CHARACTERS], add_special_tokens=False).ids
        return Reading(
            text,
            tokens,
            self.content.intersection(tokens),
            frozenset(pairwise(tokens)),
            self._mean(tokens),
        )

    def _mean(self, tokens: Sequence[int]) -> Vector:
        if not tokens:
            return np.zeros(WIDTH, dtype=np.float32)
        mean: Vector = self.vectors[tokens].mean(0)
        return _normalize(mean)


@cache
def load_tokens() -> TokenTable:
    """The table of the packaged model, read once a process.

    Raises:
        InputError: the packaged weights are not those of all-MiniLM-L6-v2.
    """
    from safetensors import safe_open
    from tokenizers import Tokenizer

    folder = find_model()
    tokenizer = Tokenizer.from_file(os.fspath(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with safe_open(folder / "model.safetensors", "numpy") as weights:
        vectors = _normalize(weights.get_tensor(_EMBEDDINGS))
    identifiers: dict[str, int] = tokenizer.get_vocab()
    fillers = frozenset(identifiers[word] for word in _FILLERS.split())
    return TokenTable(
        tokenizer,
        vectors,
        identifiers,
        _select(identifiers, str.isalnum) - fillers,
        _select(identifiers, str.isdigit),
    )


def _select(identifiers: dict[str, int], test: Callable[[str], bool]) -> frozenset[int]:
    return frozenset(n for word, n in identifiers.items() if test(word.removeprefix("##")))


def _normalize(vectors: Vector) -> Vector:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vector = vectors / np.maximum(lengths, np.float32(1e-9))
    return unit
