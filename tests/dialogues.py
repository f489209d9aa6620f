"""Conversations and recorded replies by hand, for the tests of what reads them."""

from itertools import cycle

from feedback_lens.calls.snapshot import write_snapshot
from feedback_lens.logs.conversation import Conversation, Message


def dialogue(identifier, *texts, **metadata):
    """A conversation whose messages are texts of user and assistant in turn."""
    messages = tuple(Message(*pair) for pair in zip(cycle(("user", "assistant")), texts))
    unknown = dict.fromkeys(("model", "language", "user_id", "timestamp", "toxic", "redacted"))
    known = {"corpus": "lmsys", **unknown, **metadata}
    return Conversation(conversation_id=identifier, messages=messages, **known)


def record(folder, replies):
    """A snapshot that answers requests: (request, text) or (request, text, outcome)."""
    rows = [
        {
            "key": request.key,
            "request": request.canonical,
            "outcome": outcome[0] if outcome else "answered",
            "text": text,
            "served_model": "recorded",
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "answered_at": "2026-11-20T00:00:00+00:00",
        }
        for request, text, *outcome in replies
    ]
    folder.mkdir(exist_ok=True)
    write_snapshot(sorted(rows, key=lambda row: row["key"]), folder)
    return folder
