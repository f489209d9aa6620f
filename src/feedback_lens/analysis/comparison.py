"""Which of two replies the reward model prefers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from feedback_lens.analysis.intervals import percentile_interval

# split -> (A, B), in the order of the paper's tables
COMPARISONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "rand": (("scratch", "weak"),),
    "neg": (
        ("scratch", "weak"),
        ("semantic", "weak"),
        ("semantic", "weak_next"),
        ("semantic", "scratch"),
        ("weak_next", "weak"),
    ),
}
SETTINGS = {"with_feedback": True, "without_feedback": False}
WIN_RATE_POINTS = ("split", "a", "b", "setting", "win_rate", "low", "high", "ties", "n")
Scores = Mapping[tuple[str, int], float]


def compare_replies(
    rows: Iterable[Mapping[str, Any]], resamples: int, seed: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Win rates of one corpus from its scores (rows of the scores table; a null score is none).

    Split -> `<A>_vs_<B>` -> `with_feedback` (the prompt holds the user's follow-up) or
    `without_feedback` -> as `win_rate` gives it. Sub-conversations that lack one of the two
    scores are not among `n`.

    Source: paper section 6, Tables 3 and 13.
    """
    scores: dict[tuple[str, bool, str], dict[tuple[str, int], float]] = {}
    for row in rows:
        if row["score"] is not None:
            group = scores.setdefault((row["split"], row["with_feedback"], row["candidate"]), {})
            group[row["conversation_id"], row["turn"]] = row["score"]
    return {
        split: {
            f"{a}_vs_{b}": {
                setting: win_rate(
                    scores.get((split, with_feedback, a), {}),
                    scores.get((split, with_feedback, b), {}),
                    resamples,
                    seed,
                )
                for setting, with_feedback in SETTINGS.items()
            }
            for a, b in pairs
        }
        for split, pairs in COMPARISONS.items()
    }


def list_win_rates(compared: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row of `WIN_RATE_POINTS` for each split, pair A and B, and setting that is compared."""
    for split, pairs in COMPARISONS.items():
        for a, b in pairs:
            for setting, rate in compared[split][f"{a}_vs_{b}"].items():
                yield {"split": split, "a": a, "b": b, "setting": setting, **rate}


def win_rate(a: Scores, b: Scores, resamples: int, seed: int) -> dict[str, float | None]:
    """Share of the sub-conversations with both scores where A's is higher, ties counting half.

    Keys: `win_rate` (0 to 1, null where `n` is 0), `ties` and `n` (sub-conversations), `low` and
    `high` (95% percentile bootstrap over sub-conversations, null with fewer than two). Where all
    sub-conversations agree the bootstrap has no width: it is no proof of a rate of 0 or 1.
    """
    shared = a.keys() & b.keys()
    wins = sum(a[key] > b[key] for key in shared)
    ties = sum(a[key] == b[key] for key in shared)
    n = len(shared)
    low, high = _bootstrap(wins, ties, n, resamples, seed) if n > 1 else (None, None)
    return {
        "win_rate": (wins + ties / 2) / n if n else None,
        "ties": ties,
        "n": n,
        "low": low,
        "high": high,
    }


def _bootstrap(
    wins: int, ties: int, n: int, resamples: int, seed: int
) -> tuple[float | None, float | None]:
    # n draws with replacement from wins, ties and losses are one multinomial draw
    shares = np.array([wins, ties, n - wins - ties]) / n
    draws = np.random.default_rng(seed).multinomial(n, shares, size=resamples)
    return percentile_interval((draws[:, 0] + draws[:, 1] / 2) / n)
