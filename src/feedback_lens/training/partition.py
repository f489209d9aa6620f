"""What is kept apart from training."""

import hashlib
from collections.abc import Iterable


def choose_held_out(conversation_ids: Iterable[str], share: float) -> set[str]:
    """The conversations kept apart: the `share` (0 to 1, rounded) with the first hashes of ids.

    All rows of a conversation stand on one side. One more conversation moves at most one other.
    """
    ranked = sorted(set(conversation_ids), key=_hash)
    return set(ranked[: round(share * len(ranked))])


def _hash(conversation_id: str) -> str:
    return hashlib.sha256(f"held out {conversation_id}".encode()).hexdigest()
