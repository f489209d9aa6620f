"""Messages of the fields of a preference row: its context, what stands before it, its replies."""

import json
import re
from collections.abc import Mapping
from typing import Any

from feedback_lens.logs.formats import ROLES, MalformedRow
from feedback_lens.training.preflight import Messages

CONTEXTS = ("messages", "conversations", "prompt")
# what a chat model would see and a training set's messages cannot hold
UNREAD = "tools functions tool_calls function_call images image videos video audios audio documents"
# contexts of other forms: harmless only where they repeat what was read
UNREAD_TEXTS = "question query context system_prompt"
EMPTY = ("", "[]", "{}", "null")
# how Anthropic's hh-rlhf writes a dialog as one text
SPEAKER = re.compile(r"\n\n(Human|Assistant):")


def read_context(given: Mapping[str, Any]) -> Messages:
    """The messages that a row names as its context, without `system` and `history`."""
    if "instruction" in given:
        parts = [given["instruction"], given.get("input", "")]
        if not all(isinstance(part, str) for part in parts):
            raise MalformedRow("content_is_no_text")
        return read_messages("\n".join(part for part in parts if part), "user")
    return next((read_messages(given[name], "user") for name in CONTEXTS if name in given), [])


def read_before(given: Mapping[str, Any]) -> Messages:
    """The messages before the context: `system`, then `history`, pairs of a prompt and a reply."""
    system, history = given.get("system", ""), given.get("history", [])
    if not isinstance(history, list):
        raise MalformedRow("history_is_no_list_of_pairs")
    before = [_read_message({"role": "system", "content": system})]
    for pair in history:
        if not isinstance(pair, list) or len(pair) != 2:
            raise MalformedRow("history_is_no_list_of_pairs")
        before += [
            _read_message({"role": role, "content": text})
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
    return before if before[0]["content"].strip() else before[1:]


def check_all_read(given: Mapping[str, Any], prompt: Messages) -> None:
    """Refuse a row with context that its prompt lacks."""
    _check_no_extras(given)
    text = "\n".join(message["content"] for message in prompt)
    # `input` is read with `instruction` alone, and then stands in the prompt
    for name in (*UNREAD_TEXTS.split(), "input"):
        value = given.get(name)
        if not _is_empty(value) and not (isinstance(value, str) and value.strip() in text):
            raise MalformedRow(f"unread_context_{name}")


def _check_no_extras(given: Mapping[str, Any]) -> None:
    for name in UNREAD.split():
        if not _is_empty(given.get(name)):
            raise MalformedRow(f"unread_context_{name}")


def _is_empty(value: Any) -> bool:
    return not value or str(value).strip() in EMPTY


def read_messages(value: Any, role: str) -> Messages:
    """Messages of a text, one message or a list.

    A text is one message of `role`, a dialog as hh-rlhf writes it, or a list of messages in JSON,
    which is how a CSV file holds one.
    """
    if isinstance(value, str):
        value = _parse_messages(value) or _split_speakers(value, role)
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise MalformedRow("message_is_no_object")
    return [_read_message(item) for item in value]


def _parse_messages(text: str) -> list[Mapping[str, Any]] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return None
    objects = isinstance(items, list) and all(isinstance(item, Mapping) for item in items)
    return items if objects and any(_is_message(item) for item in items) else None


def _is_message(item: Mapping[str, Any]) -> bool:
    return _read_role(item) is not None and bool({"content", "value"} & item.keys())


def _read_role(item: Mapping[str, Any]) -> str | None:
    given = item.get("role", item.get("from"))
    return ROLES.get(given.lower()) if isinstance(given, str) else None


def _split_speakers(text: str, role: str) -> list[dict[str, str]]:
    if not text.startswith("\n\nHuman:"):
        return [{"role": role, "content": text}]
    _, *parts = SPEAKER.split(text)
    speakers = {"Human": "user", "Assistant": "assistant"}
    messages = [
        {"role": speakers[speaker], "content": content.strip()}
        for speaker, content in zip(parts[::2], parts[1::2], strict=True)
    ]
    # a prompt ends where its reply would begin
    return messages[:-1] if role == "user" and not messages[-1]["content"] else messages


def _read_message(item: Any) -> dict[str, str]:
    if not isinstance(item, Mapping):
        raise MalformedRow("message_is_no_object")
    _check_no_extras(item)
    role, content = _read_role(item), item.get("content", item.get("value"))
    if role is None:
        raise MalformedRow("unknown_role")
    if not isinstance(content, str):
        raise MalformedRow("content_is_no_text")
    # a lone surrogate cannot be written as UTF-8; a question mark stands for it
    text = content.encode("utf-8", "replace").decode("utf-8")
    return {"role": role, "content": text}
