from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_lens.errors import InputError

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
CONVERSATIONS = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("corpus", pa.string()),
        ("model", pa.string()),
        ("language", pa.string()),
        ("user_id", pa.string()),
        ("timestamp", pa.string()),
        ("toxic", pa.bool_()),
        ("redacted", pa.bool_()),
        ("messages", pa.list_(MESSAGE)),
    ]
)


@dataclass(frozen=True)
class Message:
    """One message; `role` is `user`, `assistant` or `system`."""

    role: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """A conversation c = (u1, m1, ..., un, mn): strictly user, assistant, user and so on.

    The last reply may be missing. Null metadata means that the log does not tell.
    `timestamp` is ISO 8601 in UTC, of the first message.
    """

    conversation_id: str
    corpus: str
    model: str | None
    language: str | None
    user_id: str | None
    timestamp: str | None
    toxic: bool | None
    redacted: bool | None
    messages: tuple[Message, ...]

    @property
    def user_turns(self) -> list[str]:
        """The user's messages; turn i (1-based) is `user_turns[i - 1]`."""
        return [message.content for message in self.messages[0::2]]

    @property
    def replies(self) -> list[str]:
        """The assistant's messages; the reply to turn i is `replies[i - 1]`."""
        return [message.content for message in self.messages[1::2]]

    def as_row(self) -> dict[str, Any]:
        """The conversation as a row of the schema `CONVERSATIONS`."""
        messages = [{"role": m.role, "content": m.content} for m in self.messages]
        return {**self.__dict__, "messages": messages}


def read_conversations(path: Path) -> Iterator[Conversation]:
    """Stream the conversations of a table that `ingest` wrote, in its order.

    Raises:
        InputError: the file is missing or not Parquet.
    """
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such table; `dvc repro ingest` makes it") from None
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a readable Parquet table ({error})") from None
    with file:
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                row["messages"] = tuple(Message(**message) for message in row["messages"])
                yield Conversation(**row)
