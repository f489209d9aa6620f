"""Prompts to rate, one row each: `prompt_set, prompt_id, text`."""

from collections.abc import Iterable, Mapping
from typing import Any

from feedback_lens.benchmarks.questions import Question


def list_split_prompts(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The prompts u_i of sub-conversations (rows of `SPLITS`): the sets `neg`, `pos`, `rand`."""
    return [
        {
            "prompt_set": row["split"],
            "prompt_id": f"{row['conversation_id']}:{row['turn']}",
            "text": row["prompt"],
        }
        for row in rows
    ]


def list_benchmark_prompts(benchmark: str, questions: Iterable[Question]) -> list[dict[str, str]]:
    """A benchmark's questions, with their history and all turns joined by blank lines."""
    return [
        {
            "prompt_set": benchmark,
            "prompt_id": question.question_id,
            "text": "\n\n".join([*(m["content"] for m in question.history), *question.turns]),
        }
        for question in questions
    ]
