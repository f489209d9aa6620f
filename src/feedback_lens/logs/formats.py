"""The log formats: one small function each turns a raw row into a conversation.

Source: LMSYS-Chat-1M, WildChat-1M / 4.8M and yuhan-nlp/multiturn-feedback dataset cards; ShareGPT.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from feedback_lens.logs.conversation import Conversation, Message

Row = Mapping[str, Any]
ROLES = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "system": "system",
}


class MalformedRow(Exception):  # noqa: N818
    """A row that holds no conversation; the message is the reason, a snake_case word."""


def read_lmsys(row: Row, corpus: str) -> Conversation:
    """LMSYS-Chat-1M: `conversation_id, model, conversation, openai_moderation, redacted, ...`."""
    return Conversation(
        conversation_id=_identifier(row, "conversation_id"),
        corpus=corpus,
        model=_text(row.get("model")),
        language=_text(row.get("language")),
        user_id=None,
        timestamp=_time(row.get("tstamp")),
        toxic=_flagged(row.get("openai_moderation")),
        redacted=_flag(row.get("redacted")),
        messages=_messages(row.get("conversation"), "role", "content"),
    )


def read_wildchat(row: Row, corpus: str) -> Conversation:
    """WildChat-1M / 4.8M: `conversation_hash, model, timestamp, conversation, toxic, ...`."""
    return Conversation(
        conversation_id=_identifier(row, "conversation_hash"),
        corpus=corpus,
        model=_text(row.get("model")),
        language=_text(row.get("language")),
        user_id=_text(row.get("hashed_ip")),
        timestamp=_time(row.get("timestamp")),
        toxic=_flag(row.get("toxic")),
        redacted=_flag(row.get("redacted")),
        messages=_messages(row.get("conversation"), "role", "content"),
    )


def read_multiturn_feedback(row: Row, corpus: str) -> Conversation:
    """The paper's published gold sets: `conversation_id, dataset_source, conversation, ...`."""
    return _plain(row, corpus, "conversation_id", "conversation", "role", "content")


def read_messages(row: Row, corpus: str) -> Conversation:
    """One's own logs: `{"id", "messages": [{"role", "content"}]}`, metadata optional."""
    return _plain(row, corpus, "id", "messages", "role", "content")


def read_sharegpt(row: Row, corpus: str) -> Conversation:
    """ShareGPT: `{"id", "conversations": [{"from", "value"}]}`."""
    return _plain(row, corpus, "id", "conversations", "from", "value")


FORMATS: dict[str, Callable[[Row, str], Conversation]] = {
    "lmsys": read_lmsys,
    "wildchat": read_wildchat,
    "multiturn_feedback": read_multiturn_feedback,
    "messages": read_messages,
    "sharegpt": read_sharegpt,
}


def _plain(
    row: Row, corpus: str, identifier: str, messages: str, role: str, content: str
) -> Conversation:
    return Conversation(
        conversation_id=_identifier(row, identifier),
        corpus=corpus,
        model=_text(row.get("model")),
        language=_text(row.get("language")),
        user_id=_text(row.get("user_id")),
        timestamp=_time(row.get("timestamp")),
        toxic=_flag(row.get("toxic")),
        redacted=_flag(row.get("redacted")),
        messages=_messages(row.get(messages), role, content),
    )


def _identifier(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise MalformedRow("missing_id")
    return _encodable(str(value))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | int):
        raise MalformedRow("metadata_is_no_text")
    return _encodable(str(value))


def _flag(value: Any) -> bool | None:
    # numbers and words stand for booleans in tables that went through CSV or pandas
    known = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
    if value is None:
        return None
    if not isinstance(value, str | int | float) or str(value).lower() not in known:
        raise MalformedRow("flag_is_no_boolean")
    return known[str(value).lower()]


def _flagged(moderation: Any) -> bool | None:
    if moderation is None:
        return None
    if not isinstance(moderation, list):
        raise MalformedRow("moderation_is_no_list")
    return any(isinstance(item, Mapping) and _flag(item.get("flagged")) for item in moderation)


def _encodable(text: str) -> str:
    # a lone surrogate cannot be written as UTF-8; a question mark stands for it
    return text.encode("utf-8", "replace").decode("utf-8")


def _messages(raw: Any, role_key: str, content_key: str) -> tuple[Message, ...]:
    if not isinstance(raw, list) or not raw:
        raise MalformedRow("no_messages")
    messages = [_message(item, role_key, content_key) for item in raw]
    # system prompts and trailing system rows are not part of the dialogue
    dialogue = tuple(message for message in messages if message.role != "system")
    if not dialogue:
        raise MalformedRow("no_messages")
    expected = ("user", "assistant")
    if any(message.role != expected[i % 2] for i, message in enumerate(dialogue)):
        raise MalformedRow("roles_do_not_alternate")
    if any(not m.content.strip() for m in dialogue if m.role == "user"):
        raise MalformedRow("empty_user_turn")
    return dialogue


def _message(item: Any, role_key: str, content_key: str) -> Message:
    if not isinstance(item, Mapping):
        raise MalformedRow("message_is_no_object")
    given = item.get(role_key)
    if not given:
        raise MalformedRow("missing_role")
    role = ROLES.get(given.lower()) if isinstance(given, str) else None
    if role is None:
        raise MalformedRow("unknown_role")
    content = item.get(content_key)
    if content is not None and not isinstance(content, str):
        raise MalformedRow("content_is_no_text")
    return Message(role=role, content=_encodable(content or ""))


def _time(value: Any) -> str | None:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC)
        if not isinstance(value, datetime):
            return None
        # a time without a zone is UTC: the zone of the machine must not change the output
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None  # no time: nothing is filtered by it
