"""Benchmark questions in MT-Bench's and WildBench's schemas, in one form.

Source: FastChat's `llm_judge` data files; the WildBench data set card.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.benchmarks.question_rows import (
    check_choices,
    check_id,
    check_messages,
    check_references,
    check_text,
    check_texts,
    check_turns,
    read_lines,
    read_unique,
)
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
# Source: FastChat llm_judge/gen_model_answer.py, for a category that it does not know
OTHER_TEMPERATURE = 0.7
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
_QUESTION_FIELDS = {"question_id": check_id, "category": check_text, "turns": check_turns}
_REFERENCE_FIELDS = {"question_id": check_id, "choices": check_choices}
_TASK_FIELDS = {
    "session_id": check_id,
    "conversation_input": check_messages,
    "checklist": check_texts,
    "primary_tag": check_text,
}
_TASK_EXTRAS = {"secondary_tags": check_texts, "references": check_references}


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

    MT-Bench's references stand in `reference.jsonl`; without that file there are none.

    Raises:
        InputError: the folder holds neither, or a file without a question; or a line lacks a
            field, has one of another form, or the id of another; the message names it.
    """
    if (folder / "question.jsonl").is_file():
        return _read_mt_bench(folder)
    if (folder / "tasks.jsonl").is_file():
        rows = read_unique(folder / "tasks.jsonl", _TASK_FIELDS, _TASK_EXTRAS)
        return [_read_task(row, where) for where, row in rows]
    raise InputError(
        f"{folder}: holds neither question.jsonl (MT-Bench) nor tasks.jsonl (WildBench)"
    )


def describe_unknown_categories(benchmark: str, questions: Sequence[Question]) -> str | None:
    """One line on the categories that neither MT-Bench nor WildBench has; None without any."""
    known = {*TEMPERATURES, *GROUPS.values()}
    unknown = {name for question in questions for name in question.categories} - known
    if not unknown:
        return None
    return (
        f"{benchmark}: {', '.join(map(repr, sorted(unknown)))}: none of MT-Bench's categories "
        f"({', '.join(TEMPERATURES)}), so asked at temperature {OTHER_TEMPERATURE}"
    )


def _read_mt_bench(folder: Path) -> list[Question]:
    references = _read_references(folder / "reference.jsonl")
    return [
        Question(
            question_id=str(row["question_id"]),
            categories=(row["category"],),
            turns=tuple(row["turns"]),
            history=(),
            references=references.get(str(row["question_id"]), ()),
            checklist=(),
            temperature=TEMPERATURES.get(row["category"], OTHER_TEMPERATURE),
        )
        for _, row in read_unique(folder / "question.jsonl", _QUESTION_FIELDS, {})
    ]


def _read_references(path: Path) -> dict[str, tuple[str, ...]]:
    rows = read_lines(path, _REFERENCE_FIELDS, {}) if path.exists() else []
    # ids are compared as the tables hold them, as texts
    return {str(row["question_id"]): tuple(row["choices"][0]["turns"]) for _, row in rows}


def _read_task(row: Mapping[str, Any], where: str) -> Question:
    messages = [{"role": m["role"], "content": m["content"]} for m in row["conversation_input"]]
    if not messages or messages[-1]["role"] != "user":
        raise InputError(
            f"{where}: session_id {row['session_id']!r}: conversation_input must end with a "
            "message of the user"
        )
    return Question(
        question_id=str(row["session_id"]),
        categories=_group_tags([row["primary_tag"], *(row.get("secondary_tags") or ())], where),
        turns=(messages[-1]["content"],),
        history=tuple(messages[:-1]),
        references=tuple(text for text in (row.get("references") or {}).values() if text)[:1],
        checklist=tuple(row["checklist"]),
        temperature=0.0,
    )


def _group_tags(tags: Sequence[str], where: str) -> tuple[str, ...]:
    unknown = [tag for tag in tags if tag not in GROUPS]
    if unknown:
        raise InputError(f"{where}: the tag {unknown[0]!r} is none of {', '.join(GROUPS)}")
    return tuple(dict.fromkeys(GROUPS[tag] for tag in tags))
