"""The prompt of prior work: zero-shot guidelines, only found feedback listed.

Source: paper section 3.3 (columns "prior" and "theirs" of Tables 2 and 6 to 11); Don-Yehiya et al.
2024. The prompt is in our own words.
"""

import re
from collections import Counter
from itertools import pairwise
from typing import Any, Final

from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.feedback.labels import CATEGORIES, NEUTRAL, from_category, reduce_labels
from feedback_lens.feedback.prompted.confidence import find_probability, find_values
from feedback_lens.feedback.prompted.quotes import Place, place_quotes, unify
from feedback_lens.feedback.prompted.reading import Reading, Verdict, unreadable
from feedback_lens.feedback.prompted.windows import list_exchanges
from feedback_lens.logs.conversation import Conversation
from feedback_lens.prompts import fence, render
from feedback_lens.replies import object_format, object_schema, read_object

_ENTRY = {
    "category": {"type": "string", "enum": list(CATEGORIES)},
    "text": {"type": "string"},
}
FEEDBACK_FORMAT: Final = object_format(
    "feedback", {"feedback": {"type": "array", "items": object_schema(_ENTRY)}}
)
_NO_SYNTAX = re.compile(r'[^A-Za-z0-9"{}:,\[\]]')


def show_turn(number: int, user: str, reply: str | None) -> dict[str, Any]:
    """A turn as it stands in the prompt, without its number; the last one may have no reply."""
    return {"user": user, "assistant": reply}


def request_feedback(
    conversation: Conversation, template: str, model: str, sampling: Sampling, structured: bool
) -> Request:
    """The request that asks for the user turns of one conversation that hold feedback."""
    exchanges = list_exchanges(conversation)
    turns = [show_turn(number, *exchange) for number, exchange in enumerate(exchanges, start=1)]
    prompt = render(template, {"conversation": fence(turns)})
    return ask_user(model, prompt, sampling, FEEDBACK_FORMAT if structured else None)


def read_feedback(response: Response, conversation: Conversation) -> Reading:
    """The labels in one response: of the turns that it quotes (`quotes.py`), and NEU of the others.

    Several categories of one turn reduce by the priority of labels. Quotations that cannot be
    placed with certainty change no turn and are counted. No turn can be read where the reply is
    not the JSON object alone with the five categories, or where the conversation itself holds
    what stands between two of its entries: one of them may then be a user's (`is_forged`).
    """
    turns = len(conversation.user_turns)
    if response.outcome != "answered":
        return Reading(response.outcome, turns)
    text = response.text or ""
    entries = parse_entries(text)
    if entries is None or is_forged(text, len(entries), conversation):
        return unreadable(turns)
    places = place_quotes([entry["text"] for entry in entries], conversation)
    labels = [from_category(entry["category"]) for entry in entries]
    verdicts = {turn: Verdict(NEUTRAL, False, None) for turn in range(2, turns + 1)}
    spans = find_values(text, "category")
    for turn in {place for place in places if isinstance(place, int)}:
        indexes = [index for index, place in enumerate(places) if place == turn]
        label = reduce_labels(labels[index] for index in indexes)
        index = next(index for index in indexes if labels[index] == label)
        confidence = find_probability(response, spans[index])
        verdicts[turn] = Verdict(label, True, confidence)
    return Reading("answered", turns, verdicts, _count(places, labels))


def parse_entries(text: str) -> list[dict[str, str]] | None:
    """The entries of a reply; None where it is not the JSON object asked for, to the last key."""
    content = read_object(text, {"feedback"})
    entries = content["feedback"] if content else None
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        return None
    return entries


def is_forged(text: str, entries: int, conversation: Conversation) -> bool:
    """Whether some of a reply's entries may be words of the conversation, quoted without escapes.

    A user may write `no"}, {"category": "UR5", "text": "thanks`. A model that forgets to escape the
    quotes of it lists what nobody found. What then stands between two quotations, the syntax with
    the category, is to be found in a message; honest entries are only where somebody wrote such
    JSON.
    """
    spans = find_values(text, "text")
    if len(spans) != entries or len(find_values(text, "category")) != entries:
        return True  # keys that are written with escapes
    gaps = {_NO_SYNTAX.sub("", text[left[1] : right[0]]) for left, right in pairwise(spans)}
    if not gaps:
        return False
    messages = [_NO_SYNTAX.sub("", unify(message.content)) for message in conversation.messages]
    return any(gap in message for gap in gaps for message in messages)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == _ENTRY.keys()
        and entry["category"] in list(CATEGORIES)
        and isinstance(entry["text"], str)
    )


def _count(places: list[Place], labels: list[str]) -> Counter[str]:
    """What became of each entry: of those of one turn and label the first is placed."""
    counts = Counter(entries=len(places))
    seen = set()
    for place, label in zip(places, labels, strict=True):
        if isinstance(place, str):
            counts[place] += 1
        else:
            counts["repeated" if (place, label) in seen else "placed"] += 1
        seen.add((place, label))
    return counts
