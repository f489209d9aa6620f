"""Toxicity of user prompts.

Source: paper section 4, Figure 3 (the paper asks the Perspective API).
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from feedback_lens.analysis.perspective import score_by_perspective
from feedback_lens.errors import InputError

TOXICITY = pa.schema(
    [
        ("split", pa.string()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("toxicity", pa.float64()),
    ]
)
_INSULTS = (
    "idiot|idiotic|stupid|dumb|moron|loser|trash|garbage|useless|pathetic|liar|clown|worthless|"
    "shut up|hate you|screw you"
)
_PROFANITY = (
    "damn|hell|crap|bloody|bullshit|shit|f+u+c+k\\w*|f\\*+\\w*|s\\*+t|ass|bastard|piss\\w*|wtf"
)
_STRONG = re.compile(rf"\b({_INSULTS})\b", re.IGNORECASE)
_MILD = re.compile(rf"(?<!\w)({_PROFANITY})(?!\w)", re.IGNORECASE)


def score_by_lexicon(texts: Sequence[str]) -> list[float]:
    """A stand-in score in 0..1 from counts of insults and profanity; 0 where there is none.

    1 - exp(-(2 * insults + profanities) / sqrt(words)). It knows words, not meaning.
    """
    return [_score(text) for text in texts]


def _score(text: str) -> float:
    weight = 2 * len(_STRONG.findall(text)) + len(_MILD.findall(text))
    words = max(1, len(text.split()))
    return round(1 - math.exp(-weight / math.sqrt(words)), 6)


SCORERS: dict[str, Callable[[Sequence[str]], list[float]]] = {
    "lexicon": score_by_lexicon,
    "perspective": score_by_perspective,
}


def score_toxicity(rows: Iterable[Mapping[str, Any]], scorer: str) -> list[dict[str, Any]]:
    """Toxicity of the prompt u_i of every sub-conversation (rows of `TOXICITY`, of `SPLITS`).

    Raises:
        InputError: the scorer is unknown.
    """
    if scorer not in SCORERS:
        raise InputError(f"score_toxicity.scorer: {scorer!r} is none of {', '.join(SCORERS)}")
    rows = list(rows)
    scores = SCORERS[scorer]([row["prompt"] for row in rows])
    return [
        {**{name: row[name] for name in TOXICITY.names[:3]}, "toxicity": score}
        for row, score in zip(rows, scores, strict=True)
    ]


def summarize_toxicity(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, quartiles and count per split, and Mann-Whitney U tests of neg and pos against rand.

    A p-value is null where a split is empty.
    """
    from scipy.stats import mannwhitneyu

    groups: dict[str, list[float]] = {"neg": [], "pos": [], "rand": []}
    for row in rows:
        groups[row["split"]].append(row["toxicity"])
    tests = {
        f"{split}_vs_rand_p": float(mannwhitneyu(groups[split], groups["rand"]).pvalue)
        if groups[split] and groups["rand"]
        else None
        for split in ("neg", "pos")
    }
    return {split: _describe(values) for split, values in groups.items()} | {"rank_tests": tests}


def _describe(values: Sequence[float]) -> dict[str, float | int | None]:
    import numpy as np

    if not values:
        return {"n": 0, "mean": None, "q1": None, "median": None, "q3": None}
    q1, median, q3 = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    return {"n": len(values), "mean": float(np.mean(values)), "q1": q1, "median": median, "q3": q3}
