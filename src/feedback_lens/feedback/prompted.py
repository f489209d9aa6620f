"""The prompted detector: a whole conversation in, a label for each user turn after the first.

Source: paper section 3.3 and appendix C.2, the prompt in our own words.
"""

from typing import Any, Final

from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.feedback.labels import FINE
from feedback_lens.logs.conversation import Conversation
from feedback_lens.prompts import fence, render
from feedback_lens.replies import object_format, object_schema, read_object

_ENTRY = {"turn": {"type": "integer"}, "label": {"type": "string", "enum": list(FINE)}}
LABELS_FORMAT: Final = object_format(
    "labels", {"labels": {"type": "array", "items": object_schema(_ENTRY)}}
)


def request_labels(
    conversation: Conversation, template: str, model: str, sampling: Sampling, structured: bool
) -> Request:
    """The request that asks for the labels of one conversation."""
    replies = [*conversation.replies, None]  # the last turn may have no reply
    turns = [
        {"turn": number, "user": user, "assistant": replies[number - 1]}
        for number, user in enumerate(conversation.user_turns, start=1)
    ]
    prompt = render(template, {"conversation": fence(turns)})
    return ask_user(model, prompt, sampling, LABELS_FORMAT if structured else None)


def read_labels(response: Response, conversation: Conversation) -> list[dict[str, Any]]:
    """Rows of the labels table (schema `LABELS`) from one response.

    A turn that the reply does not label exactly once with a known label is `unreadable`, with a
    null label; the reply must be the JSON object alone, so that no quoted text passes for one.
    """
    verdicts = parse_verdicts(response.text or "") if response.outcome == "answered" else {}
    rows = []
    for turn in range(2, len(conversation.user_turns) + 1):
        found = verdicts.get(turn, [])
        label = found[0] if len(found) == 1 and found[0] in FINE else None
        outcome = "unreadable" if response.outcome == "answered" and not label else response.outcome
        rows.append(_row(conversation.conversation_id, turn, label, outcome))
    return rows


def labels_every_turn(response: Response, conversation: Conversation) -> bool:
    """Whether no label of an answered request is unreadable."""
    rows = read_labels(response, conversation)
    return all(row["outcome"] != "unreadable" for row in rows)


def parse_verdicts(text: str) -> dict[int, list[str]]:
    """Labels by turn as the reply gives them; empty where it is not the JSON object asked for.

    Entries hold nothing but turn and label: where a model quotes a turn beside its label, quotes
    that it forgot to escape can end the entry early and add others.
    """
    content = read_object(text, {"labels"})
    entries = content["labels"] if content else None
    verdicts: dict[int, list[str]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and not entry.keys() <= _ENTRY.keys():
            return {}
        if isinstance(entry, dict) and type(entry.get("turn")) is int:
            verdicts.setdefault(entry["turn"], []).append(str(entry.get("label")))
    return verdicts


def _row(conversation_id: str, turn: int, label: str | None, outcome: str) -> dict[str, Any]:
    return {
        "conversation_id": conversation_id,
        "turn": turn,
        "label": label,
        "confidence": None,
        "outcome": outcome,
    }
