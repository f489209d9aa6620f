"""WildBench's scores by task group, and the one figure made of them.

WildBench leaves empty answers out of its groups and of its mean length, but not out of its score,
and takes a group without a task for one with the middle score. So there are two figures: as
WildBench has them, and `complete`, of all answers and of the groups that have any. WildBench also
leaves out answers of more than 1,000 words, which it cuts for its judge; ours are judged whole.

Source: WildBench `leaderboard/data_dir/_create_tables.py` at commit 58bbf16, `src/eval.py`.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

WEIGHTS: Mapping[str, float] = {
    "Creative Tasks": 0.5,
    "Planning & Reasoning": 1.25,
    "Math & Data Analysis": 1.0,
    "Information/Advice seeking": 0.75,
    "Coding & Debugging": 1.25,
}
Rows = list[dict[str, Any]]


def is_empty(row: Mapping[str, Any]) -> bool:
    """Whether a judged answer has no text: WildBench leaves it out of groups and mean length."""
    return not row["answer_characters"]


def score_groups(groups: Mapping[str, float | None]) -> float | None:
    """The weighted mean over all task groups; one without a score counts 0, as WildBench has it.

    Scores are on the scale -80 to 100, where 0 is the middle. Null without any score.
    """
    scores = _weigh(groups)
    return sum(scores.values()) / sum(WEIGHTS.values()) if scores else None


def score_known_groups(groups: Mapping[str, float | None]) -> float | None:
    """The weighted mean over the task groups that have a score; null without any."""
    scores = _weigh(groups)
    return sum(scores.values()) / sum(WEIGHTS[name] for name in scores) if scores else None


def measure_length(rows: Rows) -> float | None:
    """The mean length in characters of the answers that are not empty."""
    lengths = [row["answer_characters"] for row in rows if not is_empty(row)]
    return fmean(lengths) if lengths else None


def _weigh(groups: Mapping[str, float | None]) -> dict[str, float]:
    scores = {name: groups.get(name) for name in WEIGHTS}
    return {name: WEIGHTS[name] * score for name, score in scores.items() if score is not None}
