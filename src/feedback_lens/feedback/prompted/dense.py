"""The prompted detector: a whole conversation in, a label for each user turn after the first.

Source: paper section 3.3 and appendix C.2, the prompt in our own words.
"""

from collections import Counter
from typing import Any, Final

from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.feedback.labels import FINE
from feedback_lens.feedback.prompted.confidence import find_probability, find_values
from feedback_lens.feedback.prompted.reading import Reading, Verdict, unreadable
from feedback_lens.feedback.prompted.windows import list_exchanges
from feedback_lens.logs.conversation import Conversation
from feedback_lens.prompts import fence, render
from feedback_lens.replies import object_format, object_schema, read_object

_ENTRY = {"turn": {"type": "integer"}, "label": {"type": "string", "enum": list(FINE)}}
LABELS_FORMAT: Final = object_format(
    "labels", {"labels": {"type": "array", "items": object_schema(_ENTRY)}}
)


def show_turn(number: int, user: str, reply: str | None) -> dict[str, Any]:
    """A turn as it stands in the prompt; the last one may have no reply."""
    return {"turn": number, "user": user, "assistant": reply}


def request_labels(
    conversation: Conversation, template: str, model: str, sampling: Sampling, structured: bool
) -> Request:
    """The request that asks for the labels of one conversation."""
    exchanges = list_exchanges(conversation)
    turns = [show_turn(number, *exchange) for number, exchange in enumerate(exchanges, start=1)]
    prompt = render(template, {"conversation": fence(turns)})
    return ask_user(model, prompt, sampling, LABELS_FORMAT if structured else None)


def read_labels(response: Response, conversation: Conversation) -> Reading:
    """The labels in one response, aligned by the turns' numbers.

    Entries may stand in any order. Entries that say the same of a turn are one; a turn that they
    label differently is unreadable, as is one without an entry or with an unknown label. Entries
    of other turns are ignored. The reply must be the JSON object alone, so that no quoted text
    passes for one.
    """
    turns = len(conversation.user_turns)
    if response.outcome != "answered":
        return Reading(response.outcome, turns)
    entries = parse_entries(response.text or "")
    if entries is None:
        return unreadable(turns)
    places, counts = _align(entries, range(2, turns + 1))
    spans = find_values(response.text or "", "label")
    verdicts = {}
    for turn, index in places.items():
        known = len(spans) == len(entries)
        confidence = find_probability(response, spans[index]) if known else None
        verdicts[turn] = Verdict(str(entries[index]["label"]), True, confidence)
    return Reading("answered", turns, verdicts, counts)


def parse_entries(text: str) -> list[Any] | None:
    """The entries of a reply, whatever they are; None where it is not the JSON object asked for.

    Entries hold nothing but turn and label: where a model quotes a turn beside its label, quotes
    that it forgot to escape can end the entry early and add others.
    """
    content = read_object(text, {"labels"})
    entries = content["labels"] if content else None
    if not isinstance(entries, list):
        return None
    is_odd = any(isinstance(entry, dict) and not entry.keys() <= _ENTRY.keys() for entry in entries)
    return None if is_odd else entries


def _align(entries: list[Any], turns: range) -> tuple[dict[int, int], Counter[str]]:
    """The number of the entry that counts for each turn, and what became of the entries."""
    counts = Counter(entries=len(entries))
    given: dict[int, list[int]] = {}
    for index, entry in enumerate(entries):
        turn = entry.get("turn") if isinstance(entry, dict) else None
        if type(turn) is not int:
            counts["unknown"] += 1
        elif turn not in turns:
            counts["extra"] += 1
        else:
            given.setdefault(turn, []).append(index)
    places = {}
    for turn, indexes in given.items():
        labels = {str(entries[index].get("label")) for index in indexes}
        if len(labels) > 1:
            counts["conflicting"] += len(indexes)
        elif not labels <= set(FINE):
            counts["unknown"] += len(indexes)
        else:
            places[turn] = indexes[0]
            counts.update(placed=1, repeated=len(indexes) - 1)
    counts["missing"] = len(turns) - len(given)
    return places, counts
