"""What the models are trained on, and what training did to them."""

from collections.abc import Mapping
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE
from feedback_lens.report.tables.rows import Table, compare
from feedback_lens.report.tables.values import (
    DASH,
    Value,
    before_and_after,
    ours,
    ours_with_spread,
    percent,
    share,
)

KINDS = {
    "conversation": "same conversation",
    "user": "same user",
    "duplicate": "same prompt",
    "near_duplicate": "nearly the same prompt",
}


def list_training_set_tables(inputs: Inputs) -> list[Table]:
    """What stands in two splits or in a benchmark, what is left out, and losses."""
    return [_show_leakage(inputs), _show_training_sets(inputs), _show_training(inputs)]


def _show_training_sets(inputs: Inputs) -> Table:
    rows = [
        compare(corpus, None, {recipe: _list_rows(found) for recipe, found in recipes.items()})
        for corpus, recipes in inputs.metrics["assemble"].items()
    ]
    return Table(
        "Training sets",
        f"What the recipes train on {BESIDE}",
        "rows; each candidate is trained on, held out, or left out for the first reason that holds",
        ("candidates", "trained on", "held out", "left out", "why", "kept in spite of"),
        tuple(rows),
        prose=2,
    )


def _list_rows(found: Mapping[str, Any]) -> list[Value]:
    excluded = sum(found["excluded"].values())
    counts = (found["rows"], found["held_out_rows"], excluded)
    return [
        *(ours(number, 0) for number in (sum(counts), *counts)),
        _list_reasons(found["excluded"]),
        _list_reasons(found["kept_despite"]),
    ]


def _list_reasons(counts: Mapping[str, int]) -> Value:
    told = [f"{reason.replace('_', ' ')} {count}" for reason, count in counts.items() if count]
    return Value(None, ", ".join(told) or "–")


def _show_leakage(inputs: Inputs) -> Table:
    rows = [
        compare(
            f"{corpus}, {split} (n = {found['rows']}, user known of {found['rows_with_user_id']})",
            None,
            {f"in {other}": _list_kinds(found, kinds) for other, kinds in places.items()},
        )
        for corpus, splits in inputs.metrics["check_leakage"].items()
        for split, found in splits.items()
        for places in [found["found_in"]]
    ]
    return Table(
        "Leakage",
        f"Rows of a split that stand in another split or a benchmark, too {BESIDE}",
        "rows of the split; prompts of other conversations, equal but for case and blanks, or "
        "alike by check_leakage.similarity",
        tuple(KINDS.values()),
        tuple(rows),
    )


def _list_kinds(split: Mapping[str, Any], kinds: Mapping[str, Any]) -> list[Value]:
    unknown = set() if split["rows_with_user_id"] else {"user"}
    return [
        share(kinds[kind]["rows"], split["rows"]) if kind in kinds.keys() - unknown else DASH
        for kind in KINDS
    ]


def _show_training(inputs: Inputs) -> Table:
    rows = [
        compare(
            f"{base}, {corpus}",
            None,
            {recipe: _describe_training(card) for recipe, card in recipes.items()},
        )
        for base, corpora in inputs.metrics["training"].items()
        for corpus, recipes in corpora.items()
    ]
    return Table(
        "Training",
        f"What training did to the models {BESIDE}",
        "loss in nats a token of the replies held out, before → after; KTO's reward margin: how "
        "much more the desirable than the undesirable ones gained, ± its standard error over rows, "
        "that of trained rows in the last epoch; means over seeds; truncated to train.max_length "
        "tokens, or dropped since the prompt alone fills them",
        (
            "method",
            "rows",
            "truncated",
            "dropped",
            "held-out rows",
            "held-out loss",
            "held-out reward margin",
            "seeds where it rises, percent",
            "margin of trained rows",
        ),
        tuple(rows),
    )


def _describe_training(card: Mapping[str, Any]) -> list[Value]:
    margin = [
        ours_with_spread(card["held_out_reward_margin"], card["held_out_reward_margin_error"], 3),
        ours(percent(card["held_out_reward_margin_rises"]), 0),
        ours(card["trained_reward_margin"], 3),
    ]
    counts = ("rows", "truncated_rows", "dropped_rows", "held_out_rows")
    return [
        Value(None, card["method"]),
        *(ours(card[name], 0) for name in counts),
        before_and_after(card["held_out_loss"], 3),
        *(margin if card["method"] == "kto" else (DASH, DASH, DASH)),
    ]
