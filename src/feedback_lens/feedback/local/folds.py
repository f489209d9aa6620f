"""Folds of conversations, so that no detector is held against what it was fitted on."""

import hashlib
import re
from collections.abc import Iterable

from feedback_lens.logs.conversation import Conversation

_Node = tuple[int, str]
_FIRST_TURN, _IDENTIFIER = 0, 1
_EXCHANGE = re.compile(r"(?P<log>.+):(?P<turn>\d+)")


def locate_in_log(conversation_id: str, turn: int) -> tuple[str, int]:
    """The conversation and turn of the log behind those that a detector sees.

    Turn 2 of `<id>:<i>`, the exchange cut out around turn i, is turn i of `<id>`.
    """
    cut = _EXCHANGE.fullmatch(conversation_id)
    if cut is None or turn != 2:
        return name_in_log(conversation_id), turn
    return cut["log"], int(cut["turn"])


def name_in_log(conversation_id: str) -> str:
    """The conversation of the log that a conversation was cut out of, or its own id."""
    cut = _EXCHANGE.fullmatch(conversation_id)
    return cut["log"] if cut else conversation_id


def assign_fold(first_turn: str, folds: int) -> int:
    """The fold of a conversation, 0 to folds - 1, by a hash of its first user turn."""
    return int(hashlib.sha256(first_turn.strip().encode()).hexdigest(), 16) % folds


def assign_folds(conversations: Iterable[Conversation], folds: int) -> dict[str, int]:
    """The fold of each conversation of the log, by `name_in_log`.

    Conversations that begin alike stand in one fold, and so do the exchanges cut out of one.
    """
    group: dict[_Node, _Node] = {}

    def find(node: _Node) -> _Node:
        while group.setdefault(node, node) != node:
            node = group[node]
        return node

    names: dict[str, _Node] = {}
    for conversation in conversations:
        identifier = name_in_log(conversation.conversation_id)
        first = (_FIRST_TURN, conversation.user_turns[0].strip())
        least, other = sorted((find(first), find((_IDENTIFIER, identifier))))
        group[other] = least
        names[identifier] = first
    # the least of a group is a first turn
    return {name: assign_fold(find(first)[1], folds) for name, first in names.items()}
