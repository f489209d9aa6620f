"""What the local detector sees of each user turn after the first, as a row of numbers."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedback_lens.feedback.local.embedding import WIDTH
from feedback_lens.feedback.local.exchanges import Exchange, describe_exchange
from feedback_lens.feedback.local.tokens import Reading, load_tokens
from feedback_lens.logs.conversation import Conversation

Key = tuple[str, int]

_DESCRIPTIONS: Final = 35
# words and pairs of words share 2^14 columns: a turn has some twenty, the gold some thousands
_HASH_BITS: Final = 14
_BEGIN: Final = 101  # before the first token, so that the word a turn begins with is a pair
# where the three kinds of columns stand: mean vectors, descriptions, words
_VECTORS: Final = slice(0, 3 * WIDTH)
_DESCRIBED: Final = slice(3 * WIDTH, 3 * WIDTH + _DESCRIPTIONS)
FEATURES: Final = _DESCRIBED.stop + 2**_HASH_BITS
# these have units of their own, so a fit brings each block to a length of about one, that of the
# words
STANDARDIZED: Final = (_VECTORS, _DESCRIBED)


def build_features(
    conversations: Sequence[Conversation],
) -> tuple[sparse.csr_array, list[Key]]:
    """Features of every user turn after the first, shape `(turns, FEATURES)`, and their keys.

    The mean token vectors of u_i and u_(i-1) and their product; what `describe_exchange` tells;
    words and pairs of neighboring words of u_i, hashed, of length one.
    """
    keys: list[Key] = []
    dense: list[npt.NDArray[np.float64]] = []
    words: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = []
    for conversation in conversations:
        for turn, exchange in enumerate(list_exchanges(conversation), start=2):
            keys.append((conversation.conversation_id, turn))
            dense.append(_join(exchange))
            words.append(hash_words(exchange.turn))
    left = np.stack(dense) if dense else np.zeros((0, _DESCRIBED.stop))
    return sparse.hstack([sparse.csr_array(left), _stack_words(words)], format="csr"), keys


def list_exchanges(conversation: Conversation) -> Iterator[Exchange]:
    """The exchanges of the user turns after the first, in order."""
    table = load_tokens()
    turns = table.read(conversation.user_turns)
    replies = table.read(conversation.replies[: len(turns) - 1])
    earlier: frozenset[int] = frozenset()
    for previous, reply, turn in zip(turns, replies, turns[1:], strict=False):
        earlier = earlier | previous.content
        yield Exchange(turn, previous, reply, earlier)


def hash_words(reading: Reading) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The columns of a text's words and pairs of words, ascending, and their weights.

    A weight grows with the logarithm of the count; all together have length one.
    """
    tokens = np.array([_BEGIN, *reading.tokens], dtype=np.uint64)
    pairs = tokens[:-1] * np.uint64(1 << 32) + tokens[1:]
    # multiplicative hashing: the upper bits of the product with an odd number near 2^64 / phi
    mixed = np.concatenate([tokens[1:], pairs]) * np.uint64(0x9E3779B97F4A7C15)
    # the lower half of a product knows nothing of a pair's first word until it is mixed in
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    columns, counts = np.unique(mixed >> np.uint64(64 - _HASH_BITS), return_counts=True)
    weights = 1 + np.log(counts)
    return columns.astype(np.int64), weights / (np.linalg.norm(weights) or 1)


def _join(exchange: Exchange) -> npt.NDArray[np.float64]:
    this, previous = exchange.turn.vector, exchange.previous.vector
    described = list(describe_exchange(exchange).values())
    return np.concatenate([this, previous, this * previous, described])


def _stack_words(
    words: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]],
) -> sparse.csr_array:
    ends = np.cumsum([0, *(len(columns) for columns, _ in words)])
    columns = [np.zeros(0, dtype=np.int64), *(columns for columns, _ in words)]
    weights = [np.zeros(0), *(weights for _, weights in words)]
    return sparse.csr_array(
        (np.concatenate(weights), np.concatenate(columns), ends),
        shape=(len(words), 2**_HASH_BITS),
    )
