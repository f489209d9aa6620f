"""What stands behind a score: judgments, turns, categories, lengths, and what was left out."""

from collections.abc import Sequence
from typing import Any

from feedback_lens.benchmarks.cells import Judgments, Rows
from feedback_lens.benchmarks.summary import (
    average,
    average_draws,
    choose,
    count_unscored,
    group_runs,
    nest,
    score_each,
    score_runs,
)
from feedback_lens.benchmarks.wildbench_scores import (
    is_empty,
    measure_length,
    score_groups,
    score_known_groups,
)

# what an unscored judgment is taken for
BOUNDS = {"complete_low": 1.0, "complete_high": 10.0}


def describe(judgments: Judgments) -> dict[str, Any]:
    """Benchmark -> judge -> base -> `base` (untrained), and corpus -> recipe -> the details.

    Each is as `describe_runs` gives it.
    """
    return nest((key, describe_runs(key[0], runs)) for key, runs in group_runs(judgments))


def describe_runs(benchmark: str, runs: Sequence[Rows]) -> dict[str, Any]:
    """The details of one recipe's runs, one list of judgments a seed; scores are means over seeds.

    Keys: `seeds` that have a score; `answers`; `judgments` of them and how many are `unscored`;
    `as_published`, the score by what could be read; `complete_low` and `complete_high`, the score
    were every unscored judgment a 1 or a 10; `cut_off` answers; `tokens`, the mean length of the
    answers whose tokens were counted; where there are two turns `turn_1` and `turn_2`;
    `categories`, a judgment counting in each of its own.

    WildBench's `categories` lack the `empty` answers, as `wildbench_scores` says, and so do `macro`
    and `characters` (the mean length); `categories_complete` and `macro_complete` hold them.
    """
    judged = [average_draws(rows) for rows in runs]
    answers = [row for rows in judged for row in rows]
    turns = sorted({row["turn"] for row in answers})
    parts = {turn: [choose(rows, "turn", turn) for rows in judged] for turn in turns}
    return {
        "seeds": len(score_each(benchmark, judged)),
        "answers": len(answers),
        "judgments": sum(map(len, runs)),
        "unscored": count_unscored(runs),
        "as_published": score_runs(benchmark, judged),
        **{name: _complete(benchmark, runs, rating) for name, rating in BOUNDS.items()},
        "cut_off": len(choose(answers, "answer_outcome", "cut_off")),
        "tokens": average(row["answer_tokens"] for row in answers),
        **{f"turn_{t}": score_runs(benchmark, part) for t, part in parts.items() if len(turns) > 1},
        "categories": _score_categories(benchmark, judged),
        **(_describe_groups(judged) if benchmark == "wildbench" else {}),
    }


def _describe_groups(judged: Sequence[Rows]) -> dict[str, Any]:
    answers = [row for rows in judged for row in rows]
    kept = [[row for row in rows if not is_empty(row)] for rows in judged]
    groups = [_score_categories("wildbench", [rows]) for rows in kept]
    complete = [_score_categories("wildbench", [rows]) for rows in judged]
    return {
        "categories": _score_categories("wildbench", kept),
        "macro": average(score_groups(scores) for scores in groups),
        "empty": sum(map(is_empty, answers)),
        "characters": measure_length(answers),
        "categories_complete": _score_categories("wildbench", judged),
        "macro_complete": average(score_known_groups(scores) for scores in complete),
    }


def _score_categories(benchmark: str, runs: Sequence[Rows]) -> dict[str, float | None]:
    names = sorted({name for rows in runs for row in rows for name in row["categories"]})
    return {
        name: score_runs(benchmark, [[r for r in rows if name in r["categories"]] for rows in runs])
        for name in names
    }


def _complete(benchmark: str, runs: Sequence[Rows], rating: float) -> float | None:
    filled = [
        [{**row, "score": rating if row["score"] is None else row["score"]} for row in rows]
        for rows in runs
    ]
    return score_runs(benchmark, filled)
