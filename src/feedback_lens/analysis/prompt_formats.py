"""Formats of prompt sets: one small function each turns a raw row into a prompt's messages.

Source: FastChat's `llm_judge` questions; the WildBench and LIMA data set cards.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Message
from feedback_lens.logs.formats import ROLES

Row = Mapping[str, Any]
Read = tuple[str | None, tuple[Message, ...]]  # the prompt's id, where it has one, and its messages
DEFAULT_COLUMN = "prompt"


class MalformedPrompt(Exception):  # noqa: N818  # a reason, as MalformedRow is
    """A row that holds no prompt; the message is the reason, to end a sentence."""


def read_mt_bench(row: Row) -> Read:
    """MT-Bench: `question_id, turns`; the user's turns, without the replies between them."""
    return _identify(row, "question_id"), _turns(_list(row, "turns"), "turns")


def read_wildbench(row: Row) -> Read:
    """WildBench: `session_id, conversation_input`; the dialogue up to the user's last message."""
    messages = _list(row, "conversation_input")
    dialogue = tuple(_message(item) for item in messages)
    if not dialogue or dialogue[-1].role != "user":
        raise MalformedPrompt("'conversation_input' does not end with a user's message")
    return _identify(row, "session_id"), dialogue


def read_lima(row: Row) -> Read:
    """LIMA: `conversations, source`; the first of its turns."""
    return None, _turns(_list(row, "conversations")[:1], "conversations")


def read_prompt(row: Row, column: str) -> Read:
    """One's own: a text column, and an `id` where there is one."""
    identifier = None if row.get("id") is None else _identify(row, "id")
    return identifier, _turns([row.get(column)], column)


_FORMATS: Final[Mapping[str, Callable[[Row], Read]]] = {
    "mt_bench": read_mt_bench,
    "wildbench": read_wildbench,
    "lima": read_lima,
}


def find_prompt_format(name: str, where: str) -> Callable[[Row], Read]:
    """The reader of a format: `mt_bench`, `wildbench`, `lima`, `prompts` or `prompts:<column>`.

    Raises:
        InputError: there is no such format; the message says `where` it is set.
    """
    kind, separator, column = name.partition(":")
    if kind == "prompts" and bool(separator) == bool(column):
        return partial(read_prompt, column=column or DEFAULT_COLUMN)
    if name in _FORMATS:
        return _FORMATS[name]
    known = ", ".join((*_FORMATS, "prompts", "prompts:<column>"))
    raise InputError(f"{where}: unknown format {name!r}; one of {known} is wanted")


def _identify(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise MalformedPrompt(f"the id {name!r} is missing")
    return _encodable(str(value))


def _list(row: Row, name: str) -> list[Any]:
    if not isinstance(row.get(name), list):
        raise MalformedPrompt(f"the field {name!r} is missing or no list")
    return list(row[name])


def _turns(texts: Sequence[Any], name: str) -> tuple[Message, ...]:
    if not texts:
        raise MalformedPrompt(f"the field {name!r} is missing or empty")
    return tuple(Message("user", _text(text, name)) for text in texts)


def _message(item: Any) -> Message:
    role = item.get("role") if isinstance(item, Mapping) else None
    known = ROLES.get(role) if isinstance(role, str) else None
    if known not in ("user", "assistant"):
        raise MalformedPrompt("a message of 'conversation_input' has no role user or assistant")
    content = item.get("content")
    if known == "assistant" and not content:  # replies that are empty occur, and are no prompt
        return Message(known, "")
    return Message(known, _text(content, "content"))


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise MalformedPrompt(f"a text of {name!r} is missing or empty")
    return _encodable(value)


def _encodable(text: str) -> str:
    # a lone surrogate cannot be written as UTF-8; a question mark stands for it
    return text.encode("utf-8", "replace").decode("utf-8")
