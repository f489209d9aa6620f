"""Benchmark questions in MT-Bench's and WildBench's schemas, in one form.

Source: FastChat's `llm_judge` data files; the WildBench data set card.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError

# Source: FastChat llm_judge/common.py
TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}
REFERENCED = ("math", "reasoning", "coding")
# Source: WildBench leaderboard/data_dir/_create_tables.py, task_group_new, at commit d6b8dca
GROUPS = {
    "Information seeking": "Information/Advice seeking",
    "Advice seeking": "Information/Advice seeking",
    "Creative Writing": "Creative Tasks",
    "Editing": "Creative Tasks",
    "Brainstorming": "Creative Tasks",
    "Role playing": "Creative Tasks",
    "Others": "Creative Tasks",
    "Reasoning": "Planning & Reasoning",
    "Planning": "Planning & Reasoning",
    "Math": "Math & Data Analysis",
    "Data Analysis": "Math & Data Analysis",
    "Coding & Debugging": "Coding & Debugging",
}


@dataclass(frozen=True)
class Question:
    """One question: `turns` are asked one after the other, after `history`.

    `categories` are those that its scores count in: MT-Bench's one, or of WildBench's five groups
    those of its tags, the primary one's first. `references` holds one reference answer a turn, or
    is empty; `checklist` is WildBench's.
    """

    question_id: str
    categories: tuple[str, ...]
    turns: tuple[str, ...]
    history: tuple[Mapping[str, str], ...]
    references: tuple[str, ...]
    checklist: tuple[str, ...]
    temperature: float

    @property
    def is_referenced(self) -> bool:
        """Whether its answers are judged beside a reference answer.

        Source: FastChat llm_judge/common.py, NEED_REF_CATS.
        """
        return self.categories[0] in REFERENCED

    def list_messages(self, answers: Sequence[str | None]) -> list[Mapping[str, str]]:
        """The history, then each turn with its answer; an answer without text is empty."""
        messages = list(self.history)
        for asked, answered in zip(self.turns, answers, strict=False):
            messages.append({"role": "user", "content": asked})
            messages.append({"role": "assistant", "content": answered or ""})
        return messages


def read_questions(folder: Path) -> list[Question]:
    """The questions of a folder: `question.jsonl` (MT-Bench) or `tasks.jsonl` (WildBench).

    Raises:
        InputError: the folder holds neither, or a line lacks a field; the message names it.
    """
    if (folder / "question.jsonl").is_file():
        return _read_mt_bench(folder)
    if (folder / "tasks.jsonl").is_file():
        path = folder / "tasks.jsonl"
        return [_read_task(row, path) for row in read_lines(path, _TASK_FIELDS)]
    raise InputError(
        f"{folder}: holds neither question.jsonl (MT-Bench) nor tasks.jsonl (WildBench)"
    )


_QUESTION_FIELDS = ("question_id", "category", "turns")
_TASK_FIELDS = ("session_id", "conversation_input", "checklist", "primary_tag")


def _read_mt_bench(folder: Path) -> list[Question]:
    references = {
        row["question_id"]: tuple(row["choices"][0]["turns"])
        for row in read_lines(folder / "reference.jsonl", ("question_id", "choices"))
    }
    return [
        Question(
            question_id=str(row["question_id"]),
            categories=(row["category"],),
            turns=tuple(row["turns"]),
            history=(),
            references=references.get(row["question_id"], ()),
            checklist=(),
            temperature=TEMPERATURES.get(row["category"], 0.7),
        )
        for row in read_lines(folder / "question.jsonl", _QUESTION_FIELDS)
    ]


def _read_task(row: Mapping[str, Any], path: Path) -> Question:
    messages = [{"role": m["role"], "content": m["content"]} for m in row["conversation_input"]]
    if not messages or messages[-1]["role"] != "user":
        raise InputError(
            f"{path}: session_id {row['session_id']!r}: conversation_input must end with a "
            "message of the user"
        )
    return Question(
        question_id=str(row["session_id"]),
        categories=_group_tags([row["primary_tag"], *(row.get("secondary_tags") or ())], path),
        turns=(messages[-1]["content"],),
        history=tuple(messages[:-1]),
        references=tuple(text for text in (row.get("references") or {}).values() if text)[:1],
        checklist=tuple(row["checklist"]),
        temperature=0.0,
    )


def _group_tags(tags: Sequence[str], path: Path) -> tuple[str, ...]:
    unknown = [tag for tag in tags if tag not in GROUPS]
    if unknown:
        raise InputError(f"{path}: the tag {unknown[0]!r} is none of {', '.join(GROUPS)}")
    return tuple(dict.fromkeys(GROUPS[tag] for tag in tags))


def read_lines(path: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    """The objects of a JSONL file, blank lines left out.

    Raises:
        InputError: the file cannot be read, or a line is no object or lacks a field; it is named.
    """
    rows = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    rows.append(_parse_line(line, fields, f"{path}:{number}"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return rows


def _parse_line(line: bytes, fields: Sequence[str], where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error})") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: a JSON object is wanted, found {type(row).__name__}")
    missing = [field for field in fields if field not in row]
    if missing:
        raise InputError(f"{where}: the field {missing[0]!r} is missing")
    return row
