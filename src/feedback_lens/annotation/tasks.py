"""Conversations as tasks of Label Studio: one a conversation, one field a user turn.

Source: Label Studio's JSON task format, checked against version 1.23.2.
"""

import heapq
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from feedback_lens.feedback.gold.annotators import Key
from feedback_lens.logs.conversation import Conversation
from feedback_lens.tables import replaced

CONFIGURATION: Final = Path(__file__).with_name("labeling.xml")
FIRST_TURN: Final = 2
FIELD: Final = "labels_{}"  # of a turn, by its place in the task's `turns`; as in labeling.xml
Labels = Mapping[Key, tuple[str, ...]]


def draw_conversations(conversations: Iterable[Conversation], count: int) -> list[Conversation]:
    """The `count` conversations with the lowest SHA-256 of their id, in that order.

    A larger count keeps those of a smaller one and adds to their end.
    """
    return heapq.nsmallest(
        count, conversations, key=lambda one: sha256(one.conversation_id.encode()).digest()
    )


def make_task(conversation: Conversation, suggested: Mapping[str, Labels]) -> dict[str, Any]:
    """A task for the labeling configuration `labeling.xml`.

    Data: `conversation_id`; `opening`, the first user turn; `turns`, for each later one its number
    `turn`, the `reply` that it speaks of and the `user`'s words; `closing`, the last reply, which
    may be empty. Predictions: the labels of these turns in each of `suggested`, by its name.
    """
    opening, *followups = map(_show, conversation.user_turns)
    replies = [_show(reply) for reply in conversation.replies]
    turns = [
        {"turn": turn, "reply": reply, "user": user}
        for turn, (reply, user) in enumerate(zip(replies, followups, strict=False), FIRST_TURN)
    ]
    data = {
        "conversation_id": conversation.conversation_id,
        "opening": opening,
        "turns": turns,
        "closing": "".join(replies[len(followups) :]),
    }
    predictions = (_predict(name, labels, data) for name, labels in suggested.items())
    return {"data": data, "predictions": [found for found in predictions if found["result"]]}


def write_tasks(tasks: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Stream tasks into a JSON list, one a line; returns how many."""
    count = 0
    with replaced(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for count, task in enumerate(tasks, start=1):
            file.write(("[\n" if count == 1 else ",\n") + json.dumps(task))
        file.write("\n]\n" if count else "[]\n")
    return count


def _predict(name: str, labels: Labels, data: Mapping[str, Any]) -> dict[str, Any]:
    keys = [(data["conversation_id"], entry["turn"]) for entry in data["turns"]]
    result = [
        {
            "from_name": FIELD.format(place),
            "to_name": f"user_{place}",
            "type": "choices",
            "value": {"choices": list(labels[key])},
        }
        for place, key in enumerate(keys)
        if key in labels
    ]
    return {"model_version": name, "result": result}


def _show(text: str) -> str:
    # PostgreSQL, which Label Studio may run on, takes no NUL in JSON
    return text.replace("\x00", "\N{SYMBOL FOR NULL}")
