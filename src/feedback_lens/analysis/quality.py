"""Quality of user prompts: BenchBuilder's seven criteria, complexity 1 to 5, length in tokens.

Source: paper section 4, Figure 4, Tables 12 and 15.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.analysis.prompt_rules import rate_by_rules
from feedback_lens.analysis.prompted import (
    COMPLEXITY_FORMAT,
    QUALITY_FORMAT,
    read_criteria,
    read_difficulty,
    request_rating,
)
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.policy import AskPolicy, count_calls
from feedback_lens.calls.request import Request, Response
from feedback_lens.errors import InputError
from feedback_lens.prompts import read_prompt

RATINGS = pa.schema(
    [
        ("prompt_set", pa.string()),
        ("prompt_id", pa.string()),
        *((name, pa.bool_()) for name in CRITERIA),
        ("difficulty", pa.int32()),
        ("tokens", pa.int32()),
        ("outcome", pa.string()),
    ]
)
Prompts = Sequence[Mapping[str, str]]
Verdict = tuple[set[int] | None, int | None, str]
Called = tuple[str | None, dict[str, int]]  # the model that was asked, and the tally of the calls
_TOKEN = re.compile(r"\w+|[^\w\s]")


def rate_prompts(
    prompts: Prompts, rater: str, templates: Path, policy: AskPolicy, structured: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Ratings of prompts (`prompt_set, prompt_id, text`).

    Returns rows of `RATINGS` and their counts by outcome. `rater` is `rules` (deterministic, a
    stand-in) or `llm`. A criterion is null where the reply could not be read. `tokens` counts
    words and punctuation marks.

    Raises:
        InputError: the rater is unknown, or its model cannot answer.
    """
    verdicts: list[Verdict]
    called: Called = None, {}
    if rater == "rules":
        verdicts = [(*rate_by_rules(prompt["text"]), "answered") for prompt in prompts]
    elif rater == "llm":
        verdicts, called = _ask_ratings(prompts, templates, policy, structured)
    else:
        raise InputError(f"rate_prompts.rater: {rater!r} is unknown; rules and llm are known")
    rows = [
        {
            "prompt_set": prompt["prompt_set"],
            "prompt_id": prompt["prompt_id"],
            **{n: None if met is None else i in met for i, n in enumerate(CRITERIA, start=1)},
            "difficulty": difficulty,
            "tokens": len(_TOKEN.findall(prompt["text"])),
            "outcome": outcome,
        }
        for prompt, (met, difficulty, outcome) in zip(prompts, verdicts, strict=True)
    ]
    model, tally = called
    return rows, count_calls(model, rows, tally)


def _ask_ratings(
    prompts: Prompts, templates: Path, policy: AskPolicy, structured: bool
) -> tuple[list[Verdict], Called]:
    assistant = open_assistant("rate_prompts", policy.model, policy.source)
    half = len(prompts)

    def is_readable(index: int, response: Response) -> bool:
        read = read_criteria if index < half else read_difficulty
        return read(response.text or "", structured) is not None

    requests = _list_requests(prompts, templates, assistant.model, policy, structured)
    responses = assistant.ask(requests, is_readable, policy.reasks)
    verdicts = [
        _read_verdict(quality, difficulty, structured)
        for quality, difficulty in zip(responses[:half], responses[half:], strict=True)
    ]
    return verdicts, (assistant.model, assistant.tally())


def _list_requests(
    prompts: Prompts, templates: Path, model: str, policy: AskPolicy, structured: bool
) -> list[Request]:
    """The requests for the criteria of all prompts, then those for their complexity."""
    scales = {"rate_quality.txt": QUALITY_FORMAT, "rate_complexity.txt": COMPLEXITY_FORMAT}
    return [
        request_rating(
            prompt["text"], template, model, policy.sampling, scale if structured else None
        )
        for name, scale in scales.items()
        for template in [read_prompt(templates / name, {"prompt"})]
        for prompt in prompts
    ]


def _read_verdict(quality: Response, complexity: Response, structured: bool) -> Verdict:
    met = grade = None
    if quality.outcome == "answered":
        met = read_criteria(quality.text or "", structured)
    if complexity.outcome == "answered":
        grade = read_difficulty(complexity.text or "", structured)
    failed = [r.outcome for r in (quality, complexity) if r.outcome != "answered"]
    readable = met is not None and grade is not None
    return met, grade, failed[0] if failed else "answered" if readable else "unreadable"


def summarize_quality(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Per prompt set: share that meets each criterion and their mean, difficulty, tokens, counts.

    Shares are over the prompts whose reply could be read; the others stand under `unreadable`.
    """
    sets: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        sets.setdefault(row["prompt_set"], []).append(row)
    return {name: _summarize(members) for name, members in sorted(sets.items())}


def _summarize(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rated = [row for row in rows if row[CRITERIA[0]] is not None]
    graded = [row["difficulty"] for row in rows if row["difficulty"] is not None]
    shares = {name: _mean([row[name] for row in rated]) for name in CRITERIA}
    known = [share for share in shares.values() if share is not None]
    return {
        "prompts": len(rows),
        "unreadable": len(rows) - len(rated),
        **shares,
        "mean": _mean(known),
        "difficulty": _mean(graded),
        "tokens": _mean([row["tokens"] for row in rows]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
