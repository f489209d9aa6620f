"""How often users give feedback, by turn and by label."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from feedback_lens.feedback.labels import FINE, NEUTRAL

UNLABELED = "unlabeled"
COLUMNS = (*FINE, UNLABELED)
TURNS = {2: "2", 3: "3", 4: "4", 5: "5+"}
DISTRIBUTION_POINTS = ("turn", "label", "count", "share")
Table = dict[str, dict[str, int]]  # turn -> label -> turns


def count_feedback(labels: pd.DataFrame) -> dict[str, Any]:
    """Turns and feedback of one corpus, from the columns `conversation_id`, `turn` and `label`.

    `by_turn` holds, for user turns 2, 3, 4 and 5 or later, `turns`, `unlabeled` (null label, or
    unreadable), `feedback` (turns) and its `share` of the labeled turns with a 95% Wilson
    interval `low`, `high`; `by_label` each label's `count` and `share` of the labeled turns.
    A share of no turns is null.

    Source: paper Table 1, Figure 6.
    """
    table = _tabulate(labels)
    totals = {label: sum(row[label] for row in table.values()) for label in COLUMNS}
    labeled = sum(totals[label] for label in FINE)
    return {
        "conversations": int(labels["conversation_id"].nunique()),
        "turns": len(labels),
        "unlabeled": totals[UNLABELED],
        "by_turn": {turn: _count_turn(row) for turn, row in table.items()},
        "by_label": {
            label: {"count": totals[label], "share": _share(totals[label], labeled)}
            for label in FINE
        },
    }


def distribute_labels(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each turn (2, 3, 4, 5+) and label: `count` and `share` of its labeled turns.

    Source: paper Figure 2.
    """
    return [
        {
            "turn": turn,
            "label": label,
            "count": row[label],
            "share": _share(row[label], _count_labeled(row)),
        }
        for turn, row in _tabulate(labels).items()
        for label in FINE
    ]


def _tabulate(labels: pd.DataFrame) -> Table:
    pairs = zip(labels["turn"].clip(upper=5), labels["label"].fillna(UNLABELED), strict=True)
    sizes = Counter(pairs)
    table = {name: {label: sizes[turn, label] for label in COLUMNS} for turn, name in TURNS.items()}
    if sum(sum(row.values()) for row in table.values()) != len(labels):
        raise ValueError("labels outside the ontology, or turns before the second")
    return table


def _count_turn(row: Mapping[str, int]) -> dict[str, Any]:
    from scipy.stats import binomtest

    labeled = _count_labeled(row)
    feedback = labeled - row[NEUTRAL]
    low = high = None
    if labeled:
        low, high = binomtest(feedback, labeled).proportion_ci(method="wilson")
    return {
        "turns": labeled + row[UNLABELED],
        "unlabeled": row[UNLABELED],
        "feedback": feedback,
        "share": _share(feedback, labeled),
        "low": low,
        "high": high,
    }


def _count_labeled(row: Mapping[str, int]) -> int:
    return sum(row[label] for label in FINE)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
