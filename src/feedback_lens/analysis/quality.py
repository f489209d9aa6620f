"""Quality of user prompts: BenchBuilder's seven criteria, complexity 1 to 5, length in tokens.

Source: paper section 4, Figure 4, Tables 12 and 15; Li et al. 2024 (BenchBuilder); Wang et al.
2024 (HelpSteer2). The prompts are in our own words.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.analysis.prompt_rules import rate_by_rules
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Response, Sampling, ask_user
from feedback_lens.errors import InputError
from feedback_lens.prompts import fence, read_prompt, render

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
Verdict = tuple[set[int] | None, int | None, str]
_LIST = re.compile(r"\[[\d,\s]*\]")
_GRADE = re.compile(r"\[\[([1-5])\]\]")
_TOKEN = re.compile(r"\w+|[^\w\s]")


def read_criteria(text: str) -> set[int] | None:
    """The criteria met (1 to 7) by the list on the reply's last line; None where it is unreadable.

    An empty list means that none is met.
    """
    last = text.strip().rpartition("\n")[2].strip()
    if not _LIST.fullmatch(last):
        return None
    try:
        met = set(json.loads(last))
    except ValueError:  # such as [1,,3]
        return None
    return met if met <= set(range(1, len(CRITERIA) + 1)) else None


def read_difficulty(text: str) -> int | None:
    """The grade 1 to 5 on the reply's last line; None where it is unreadable."""
    grade = _GRADE.fullmatch(text.strip().rpartition("\n")[2].strip())
    return int(grade[1]) if grade else None


def rate_prompts(
    prompts: Sequence[Mapping[str, str]],
    rater: str,
    templates: Path,
    model: str,
    source: Path,
    sampling: Sampling,
) -> list[dict[str, Any]]:
    """Ratings of prompts (`prompt_set, prompt_id, text`) as rows of `RATINGS`.

    `rater` is `rules` (deterministic, a stand-in) or `llm`. A criterion is null where the reply
    could not be read. `tokens` counts words and punctuation marks.

    Raises:
        InputError: the rater is unknown, or its model cannot answer.
    """
    verdicts: list[Verdict]
    if rater == "rules":
        verdicts = [(*rate_by_rules(prompt["text"]), "answered") for prompt in prompts]
    elif rater == "llm":
        verdicts = _ask_ratings(prompts, templates, model, source, sampling)
    else:
        raise InputError(f"rate_prompts.rater: {rater!r} is unknown; rules and llm are known")
    return [
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


def _ask_ratings(
    prompts: Sequence[Mapping[str, str]],
    templates: Path,
    model: str,
    source: Path,
    sampling: Sampling,
) -> list[Verdict]:
    assistant = open_assistant("rate_prompts", model, source)
    requests = [
        ask_user(assistant.model, render(template, {"prompt": fence(prompt["text"])}), sampling)
        for name in ("rate_quality.txt", "rate_complexity.txt")
        for template in [read_prompt(templates / name, {"prompt"})]
        for prompt in prompts
    ]
    responses = assistant.ask(requests)
    half = len(prompts)
    return [
        _read_verdict(quality, difficulty)
        for quality, difficulty in zip(responses[:half], responses[half:], strict=True)
    ]


def _read_verdict(quality: Response, difficulty: Response) -> Verdict:
    met = read_criteria(quality.text or "") if quality.outcome == "answered" else None
    grade = read_difficulty(difficulty.text or "") if difficulty.outcome == "answered" else None
    failed = [r.outcome for r in (quality, difficulty) if r.outcome != "answered"]
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
