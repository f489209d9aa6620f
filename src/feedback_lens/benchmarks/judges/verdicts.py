"""What is told of verdicts that cannot be read, and of questions that lack their reference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from feedback_lens.benchmarks.questions import REFERENCED, Question
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.errors import InputError

Table = tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]
# of a verdict, in a message
LONGEST = 80


def describe_unreferenced(benchmark: str, questions: Sequence[Question]) -> str | None:
    """One line on the questions judged without the reference they should have; None without any."""
    bare = [
        question for question in questions if question.is_referenced and not question.references
    ]
    if not bare:
        return None
    return (
        f"{benchmark}: {len(bare)} questions of {', '.join(REFERENCED)} have no reference answer "
        f"in reference.jsonl (docs/judging.md), such as question {bare[0].question_id}"
    )


def describe_unreadable(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """How many verdicts cannot be read, by outcome, and the first of them; None without any."""
    unread = [row for row in rows if row["outcome"] != "answered"]
    if not unread:
        return None
    outcomes = sorted(Counter(row["outcome"] for row in unread).items())
    counts = ", ".join(f"{outcome} {count}" for outcome, count in outcomes)
    words = next((text for row in unread if (text := row["judgment"])), None)
    example = f", such as {words[:LONGEST]!r}" if words else ""
    return f"{len(unread)} of {len(rows)} verdicts unreadable ({counts}){example}"


def check_verdicts(
    stage: str,
    entry: str,
    tables: Mapping[str, Table],
    method: str,
    prompt: Path,
    policy: AskPolicy,
) -> None:
    """Tell on stderr of the verdicts that cannot be read, by benchmark.

    `tables` are by benchmark, with columns `outcome` and `judgment`; `entry` is the judge's place
    in params.yaml, such as `judges.mine`.

    Raises:
        InputError: there are verdicts, and not one can be read; the message says where to look.
    """
    for benchmark, (rows, _) in tables.items():
        if line := describe_unreadable(rows):
            click.echo(f"{stage}: {entry.partition('.')[2]}, {benchmark}: {line}", err=True)
    outcomes = [row["outcome"] for rows, _ in tables.values() for row in rows]
    if not outcomes or "answered" in outcomes:
        return
    if method == "reference":
        where = "it needs reference answers, MT-Bench's in reference.jsonl (docs/judging.md)"
    else:
        model, limit = policy.model or policy.source, policy.sampling.max_tokens
        where = (
            f"look at the prompt ({prompt}), the model ({model}) and {stage}.max_tokens ({limit}); "
            "the replies are kept, and none is paid for twice"
        )
    raise InputError(
        f"{entry}: none of {len(outcomes)} verdicts can be read by the method {method}; {where}"
    )
