"""How sure it is that a reward model prefers the chosen replies of conversations it never saw."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from feedback_lens.analysis.intervals import estimate_share


def summarize_held_out(
    conversation_ids: Sequence[str], before: Sequence[bool], after: Sequence[bool]
) -> dict[str, Any]:
    """The accuracy on pairs of conversations that the model was not trained on.

    Args:
        conversation_ids: of each pair.
        before: whether the untrained model scores the pair's chosen reply higher.
        after: whether the model that did not see the conversation does.

    Returns:
        `pairs` (each is trained on by the model and held out of one fold's) and `conversations`,
        numbers, `held_out_accuracy` (share of the pairs that are
        right, `before` and `after` training), `held_out_low` and `held_out_high` (95% interval of
        `after`, clustered by conversation), `held_out_right` and `held_out_wrong` (conversations
        with more pairs right than wrong, and the reverse; the others count for neither) and
        `held_out_p`: how often so many right ones or more would come of coin tosses (exact
        one-sided sign test by conversation; null without one that counts).
    """
    names, index = np.unique(np.array(conversation_ids), return_inverse=True)
    hits = np.bincount(index, weights=np.array(after, float)).astype(np.int64)
    trials = np.bincount(index).astype(np.int64)
    share = estimate_share(hits, trials)
    right, wrong = int((2 * hits > trials).sum()), int((2 * hits < trials).sum())
    return {
        "pairs": {"train": len(after), "held_out": len(after)},
        "conversations": len(names),
        "held_out_accuracy": {"before": sum(before) / len(before), "after": share["share"]},
        "held_out_low": share["low"],
        "held_out_high": share["high"],
        "held_out_right": right,
        "held_out_wrong": wrong,
        "held_out_p": _test_signs(right, wrong),
    }


def _test_signs(right: int, wrong: int) -> float | None:
    from scipy.stats import binomtest

    if right + wrong == 0:
        return None
    return float(binomtest(right, right + wrong, 0.5, alternative="greater").pvalue)
