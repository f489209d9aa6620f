"""How often users give feedback, by turn and by label."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_lens.analysis.intervals import estimate_share
from feedback_lens.feedback.labels import FINE, NEUTRAL

UNLABELED: Final = "unlabeled"
COLUMNS: Final = (*FINE, UNLABELED)
FEEDBACK: Final = tuple(label for label in FINE if label != NEUTRAL)
TURNS: Final = {2: "2", 3: "3", 4: "4", 5: "5+"}
LABEL_POINTS: Final = ("label", "count", "share", "low", "high")
DISTRIBUTION_POINTS: Final = ("turn", *LABEL_POINTS)
Counts = npt.NDArray[np.int64]  # turns by conversation and label, (conversations, COLUMNS)


def count_feedback(labels: pd.DataFrame) -> dict[str, Any]:
    """Turns and feedback of one corpus, from the columns `conversation_id`, `turn` and `label`.

    `by_turn` holds, for user turns 2, 3, 4 and 5 or later, `turns`, `unlabeled` (null label) and
    `feedback` (turns) with its `share` of the labeled turns; `by_label` each label's `count` and
    `share` of the labeled turns. Shares carry a 95% interval `low`, `high`, which is wider where
    turns of one conversation are alike (`estimate_share`), and are null of no turns.

    Source: paper Table 1, Figure 6.
    """
    table = _tabulate(labels)
    total = _add_up(table)
    return {
        "conversations": len(total),
        "turns": len(labels),
        "unlabeled": _count(total, [UNLABELED]),
        "by_turn": {turn: _count_turn(counts) for turn, counts in table.items()},
        "by_label": {label: _count_share(total, [label]) for label in FINE},
    }


def distribute_labels(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each turn (2, 3, 4, 5+) and label: `count`, and `share` of its labeled turns.

    `low` and `high` are the interval of the share, as in `count_feedback`.

    Source: paper Figure 2.
    """
    return [
        {"turn": turn, "label": label, **_count_share(counts, [label])}
        for turn, counts in _tabulate(labels).items()
        for label in FINE
    ]


def list_label_shares(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each label: `count`, `share` of the labeled turns, its interval `low`, `high`.

    Source: paper Figure 6.
    """
    total = _add_up(_tabulate(labels))
    return [{"label": label, **_count_share(total, [label])} for label in FINE]


def _tabulate(labels: pd.DataFrame) -> Mapping[str, Counts]:
    names, identifiers = pd.factorize(labels["conversation_id"])
    columns = pd.Categorical(labels["label"].fillna(UNLABELED), categories=COLUMNS).codes
    turns = labels["turn"].clip(upper=5).to_numpy()
    if (columns < 0).any() or (turns < 2).any():
        raise ValueError("labels outside the ontology, or turns before the second")
    cells = names * len(COLUMNS) + columns
    return {
        name: np.bincount(cells[turns == turn], minlength=len(identifiers) * len(COLUMNS)).reshape(
            len(identifiers), len(COLUMNS)
        )
        for turn, name in TURNS.items()
    }


def _add_up(table: Mapping[str, Counts]) -> Counts:
    total: Counts = np.sum(list(table.values()), axis=0)
    return total


def _count_turn(counts: Counts) -> dict[str, Any]:
    share = _count_share(counts, FEEDBACK)
    return {
        "turns": _count(counts, COLUMNS),
        "unlabeled": _count(counts, [UNLABELED]),
        "feedback": share.pop("count"),
        **share,
    }


def _count_share(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    return {
        "count": _count(counts, names),
        **estimate_share(_pick(counts, names).sum(1), _pick(counts, FINE).sum(1)),
    }


def _count(counts: Counts, names: Sequence[str]) -> int:
    return int(_pick(counts, names).sum())


def _pick(counts: Counts, names: Sequence[str]) -> Counts:
    return counts[:, [COLUMNS.index(name) for name in names]]
