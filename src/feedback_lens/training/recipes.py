"""Training recipes: each makes one training set from a corpus' splits and regenerations.

Source: paper section 7.1; KTO on D_neg and D_pos with the original replies.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import MESSAGE
from feedback_lens.training.partition import choose_held_out

TRAINING_SET = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("prompt", pa.list_(MESSAGE)),
        ("completion", pa.list_(MESSAGE)),
        ("desirable", pa.bool_()),
        ("held_out", pa.bool_()),
    ]
)
Rows = list[dict[str, Any]]
Splits = Sequence[Mapping[str, Any]]
Replies = Mapping[str, Sequence[Mapping[str, Any]]]


def assemble(recipe: str, splits: Splits, replies: Replies, held_out_share: float) -> Rows:
    """The training set of a recipe (rows of `TRAINING_SET`).

    Args:
        recipe: `kto`, or the name of a regeneration to imitate.
        splits: rows of `SPLITS`.
        replies: rows of `REPLIES` by regeneration.
        held_out_share: share of conversations, by a hash of their id, kept for evaluation; of KTO's
            desirable and undesirable rows alike.

    Raises:
        InputError: the recipe is unknown.
    """
    if recipe in RECIPES:
        rows = RECIPES[recipe](splits)
    elif recipe in replies:
        rows = imitate_replies(splits, replies[recipe], recipe.partition("_")[0])
    else:
        known = [*RECIPES, *replies]
        raise InputError(f"run.models.recipes: {recipe!r} is unknown; {', '.join(known)} are known")
    held_out = choose_held_out_rows(rows, held_out_share)
    for row in rows:
        row["held_out"] = row["conversation_id"] in held_out
    return rows


def choose_held_out_rows(rows: Rows, share: float) -> set[str]:
    """The conversations kept apart, the share of those with a desirable row and of the others.

    So a class of KTO with few rows is not all on one side.
    """
    desirable = {row["conversation_id"] for row in rows if row["desirable"]}
    others = {row["conversation_id"] for row in rows} - desirable
    return choose_held_out(desirable, share) | choose_held_out(others, share)


def imitate_replies(splits: Splits, replies: Sequence[Mapping[str, Any]], split: str) -> Rows:
    """SFT on the whole replies of a regeneration; one that is cut off or refused is no example."""
    prompts = {
        (row["conversation_id"], row["turn"]): row["prompt"]
        for row in splits
        if row["split"] == split
    }
    return [
        _example(reply, prompts[(reply["conversation_id"], reply["turn"])], reply["reply"], None)
        for reply in replies
        if reply["outcome"] == "answered"
    ]


def contrast_feedback(splits: Splits) -> Rows:
    """KTO on the log's own replies: those praised are desirable, those criticized are not."""
    return [
        _example(row, row["prompt"], row["reply"], row["split"] == "pos")
        for row in splits
        if row["split"] in ("neg", "pos") and row["reply"].strip()
    ]


RECIPES: dict[str, Callable[[Splits], Rows]] = {"kto": contrast_feedback}


def _example(
    row: Mapping[str, Any], prompt: str, completion: str, desirable: bool | None
) -> dict[str, Any]:
    return {
        "conversation_id": row["conversation_id"],
        "turn": row["turn"],
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": completion}],
        "desirable": desirable,
    }
