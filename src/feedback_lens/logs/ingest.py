import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Conversation
from feedback_lens.logs.formats import FORMATS, MalformedRow

REJECTS = pa.schema(
    [
        ("source", pa.string()),
        ("conversation_id", pa.string()),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True)
class Filters:
    """What is kept of a log. `languages` empty keeps all; `toxic` is `keep`, `drop` or `only`."""

    languages: tuple[str, ...]
    min_user_turns: int
    toxic: str
    drop_redacted: bool
    drop_duplicate_first_turns: bool
    max_characters: int


@dataclass
class Ingest:
    """One pass over a raw log: iterate it for the conversations kept, then read the counts.

    `rejects` has one row per row not kept (columns of `REJECTS`); a row is never dropped silently.
    Memory grows with the number of rejects and of first turns, not with the texts.
    """

    rows: Iterable[tuple[str, dict[str, Any] | None]]
    log_format: str
    corpus: str
    filters: Filters
    rejects: list[dict[str, str | None]] = field(default_factory=list)
    kept: int = 0
    kept_user_turns: int = 0

    def __post_init__(self) -> None:
        if self.log_format not in FORMATS:
            raise InputError(
                f"corpora.{self.corpus}.format: unknown format {self.log_format!r}; "
                f"one of {', '.join(FORMATS)} is wanted"
            )

    def __iter__(self) -> Iterator[Conversation]:
        identifiers: set[str] = set()
        first_turns: set[bytes] = set()
        for source, row in self.rows:
            identifier = None
            try:
                if row is None:
                    raise MalformedRow("not_a_json_object")
                conversation = FORMATS[self.log_format](row, self.corpus)
                identifier = conversation.conversation_id
                self._filter(conversation, identifiers, first_turns)
            except MalformedRow as reason:
                self._reject(source, identifier, str(reason))
            else:
                self.kept += 1
                self.kept_user_turns += len(conversation.user_turns)
                yield conversation

    def _filter(
        self, conversation: Conversation, identifiers: set[str], first_turns: set[bytes]
    ) -> None:
        """Raise the first reason against the conversation; remember what duplicates are told by."""
        reason = find_reason(conversation, self.filters)
        if reason:
            raise MalformedRow(reason)
        if conversation.conversation_id in identifiers:
            raise MalformedRow("duplicate_id")
        digest = hashlib.sha256(conversation.user_turns[0].strip().encode()).digest()[:16]
        if self.filters.drop_duplicate_first_turns and digest in first_turns:
            raise MalformedRow("duplicate_first_turn")
        identifiers.add(conversation.conversation_id)
        first_turns.add(digest)

    def _reject(self, source: str, identifier: str | None, reason: str) -> None:
        self.rejects.append({"source": source, "conversation_id": identifier, "reason": reason})

    def check_kept(self) -> None:
        """Raise InputError, with the counts, where no row was kept."""
        if self.kept:
            return
        counts = self.counts()
        reasons = ", ".join(f"{name} {count}" for name, count in counts["rejected"].items())
        first = f", first at {self.rejects[0]['source']}" if self.rejects else ""
        raise InputError(
            f"corpora.{self.corpus}: not one of {counts['rows']} rows is kept as format "
            f"{self.log_format!r} ({reasons or 'the log is empty'}{first}); set "
            f"corpora.{self.corpus}.format or the filters in ingest in params.yaml"
        )

    def counts(self) -> dict[str, Any]:
        """Rows read, kept and rejected (by reason), and the user turns kept."""
        return {
            "rows": self.kept + len(self.rejects),
            "kept": self.kept,
            "kept_user_turns": self.kept_user_turns,
            "rejected": dict(sorted(Counter(r["reason"] for r in self.rejects).items())),
        }


def find_reason(conversation: Conversation, filters: Filters) -> str | None:
    """The first filter that turns the conversation down, or None."""
    length = sum(len(message.content) for message in conversation.messages)
    checks = {
        "other_language": bool(filters.languages)
        and conversation.language is not None
        and conversation.language not in filters.languages,
        "too_few_user_turns": len(conversation.user_turns) < filters.min_user_turns,
        "redacted": filters.drop_redacted and conversation.redacted is True,
        "toxic": filters.toxic == "drop" and conversation.toxic is True,
        "not_toxic": filters.toxic == "only" and conversation.toxic is not True,
        "too_long": length > filters.max_characters,
    }
    return next((reason for reason, holds in checks.items() if holds), None)
