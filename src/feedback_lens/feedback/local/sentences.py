"""The yardstick of the local detector: sentence embeddings of a user turn and the one before."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from feedback_lens.feedback.local.embedding import embed
from feedback_lens.logs.conversation import Conversation


def embed_turns(
    conversations: Sequence[Conversation],
) -> tuple[sparse.csr_array, list[tuple[str, int]]]:
    """Sentence features of every user turn after the first, shape `(turns, 1153)`, and their keys.

    The embeddings of u_i and u_(i-1), their element-wise product and their cosine: a rephrased
    request is close to the one before it.
    """
    texts = [turn for conversation in conversations for turn in conversation.user_turns]
    vectors = embed(texts, "embed turns")
    keys: list[tuple[str, int]] = []
    positions: list[int] = []
    start = 0
    for conversation in conversations:
        count = len(conversation.user_turns)
        keys += [(conversation.conversation_id, turn) for turn in range(2, count + 1)]
        positions += range(start + 1, start + count)
        start += count
    this, previous = vectors[positions], vectors[[position - 1 for position in positions]]
    product = this * previous
    features = np.hstack([this, previous, product, product.sum(1, keepdims=True)])
    return sparse.csr_array(features), keys
