"""Folds of conversations, so that no detector is held against what it was fitted on."""

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from feedback_lens.logs.conversation import Conversation

# the conversation of the log behind each one that was cut out of it, by the id detectors see; a
# conversation that is not listed is whole. An id itself tells nothing: a log may have `chat:1`
Origins = Mapping[str, str]
NOTHING_CUT: Final[Origins] = MappingProxyType({})

_Node = tuple[int, str]
_FIRST_TURN, _IDENTIFIER = 0, 1


def assign_fold(first_turn: str, folds: int) -> int:
    """The fold of a conversation, 0 to folds - 1, by a hash of its first user turn."""
    return int(hashlib.sha256(first_turn.strip().encode()).hexdigest(), 16) % folds


def assign_folds(
    conversations: Iterable[Conversation], folds: int, origins: Origins
) -> dict[str, int]:
    """The fold of each conversation by its id, and of each origin of one by its id in the log.

    Conversations that begin alike stand in one fold, and so do the exchanges cut out of one.
    """
    group: dict[_Node, _Node] = {}

    def find(node: _Node) -> _Node:
        while group.setdefault(node, node) != node:
            node = group[node]
        return node

    names: dict[str, _Node] = {}
    for conversation in conversations:
        identifier = conversation.conversation_id
        origin = origins.get(identifier, identifier)
        first = (_FIRST_TURN, conversation.user_turns[0].strip())
        least, other = sorted((find(first), find((_IDENTIFIER, origin))))
        group[other] = least
        names[identifier] = names[origin] = first
    # the least of a group is a first turn
    return {name: assign_fold(find(first)[1], folds) for name, first in names.items()}
