"""Which replies the reward model prefers: Tables 3 and 13."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE, PAPER_CORPORA, list_trained, untrained
from feedback_lens.report.tables.reasons import about_data, about_replies, about_reward, explain
from feedback_lens.report.tables.rows import Table, compare
from feedback_lens.report.tables.values import (
    DASH,
    Value,
    before_and_after,
    interval,
    ours,
    ours_with_interval,
    percent,
    probability,
    reported,
    share,
)

UNSCORED = "not run: no sub-conversation has a score of both replies"
SETTINGS = ("with_feedback", "without_feedback")


def list_reply_tables(inputs: Inputs) -> list[Table]:
    """Tables 3 and 13, and such a table for each corpus that the paper has not.

    Where a reward model is trained here, how well it learned.
    """
    names = {"lmsys": "Table 3", "wildchat": "Table 13"}
    return [
        *(
            _compare_win_rates(inputs, names.get(corpus, f"Win rates {corpus}"), corpus)
            for corpus in list_trained(inputs.axes)
        ),
        *([_show_reward(inputs)] if inputs.metrics["train_reward"] else []),
    ]


def _compare_win_rates(inputs: Inputs, name: str, corpus: str) -> Table:
    prefix = name.replace(" ", "").lower()
    paper = inputs.published.get(f"{prefix}_winrate_{corpus}", {})
    metrics = inputs.metrics["compare_replies"].get(corpus)
    rows = []
    for split, pairs in (metrics or paper).items():
        for pair in pairs:
            content = paper.get(split, {}).get(_name_pair(pair))
            rates = metrics[split][pair] if metrics else {}
            scored = any(rate["n"] for rate in rates.values())
            title = f"{'Random' if split == 'rand' else 'Negative'}: {_describe(pair)}"
            rows.append(
                compare(
                    title if content or not paper else f"{title} {BESIDE}",
                    _report_rates(split, content) if content else None,
                    {"ours": _list_win_rates(rates)} if scored else {},
                    UNSCORED if metrics else untrained(corpus),
                )
            )
    return Table(
        name,
        f"Win rates of the replies, {PAPER_CORPORA.get(corpus, corpus)}",
        "percent of sub-conversations where the first reply scores higher, ties count half; 95% "
        "interval (the paper prints a dash for the random ones with feedback); ties: of the "
        "sub-conversations where both replies have a score, of which the paper tells neither",
        (
            "with feedback",
            "without feedback",
            "ties with feedback",
            "ties without feedback",
        ),
        tuple(rows),
        explain(
            about_data(inputs.axes, inputs.axes.trained),
            about_replies(inputs),
            about_reward(inputs),
        ),
    )


def _report_rates(split: str, content: Sequence[int | None]) -> list[Value]:
    """The paper's win rates; of random replies there is no feedback to show, and a dash."""
    rates = [DASH if split == "rand" and rate is None else reported(rate) for rate in content]
    return [*rates, DASH, DASH]


def _name_pair(pair: str) -> str:
    return "_vs_".join(
        f"better_{side}" if side in ("scratch", "semantic") else side for side in pair.split("_vs_")
    )


def _describe(pair: str) -> str:
    return pair.replace("better_", "").replace("_vs_", " over ").replace("weak_next", "next weak")


def _list_win_rates(settings: Mapping[str, Any]) -> list[Value]:
    found = [settings[name] for name in SETTINGS]
    return [
        *(
            ours_with_interval([percent(rate[key]) for key in ("win_rate", "low", "high")], 0)
            for rate in found
        ),
        *(share(rate["ties"], rate["n"]) for rate in found),
    ]


def _show_reward(inputs: Inputs) -> Table:
    rows = [
        compare(name, None, {"ours": _describe_reward(card)})
        for name, card in inputs.metrics["train_reward"].items()
    ]
    return Table(
        "Reward model",
        f"The reward model trained here {BESIDE}",
        "pairs of a regenerated and a weak reply; accuracy: percent of the pairs whose regenerated "
        "reply scores higher, before → after training on other conversations, 95% interval over "
        "conversations; right, wrong: conversations with more pairs of the one or the other; p: of "
        "so many right ones by coin tosses",
        ("pairs", "conversations", "held-out accuracy", "interval", "right", "wrong", "p"),
        tuple(rows),
    )


def _describe_reward(card: Mapping[str, Any]) -> list[Value]:
    accuracy = {when: percent(number) for when, number in card["held_out_accuracy"].items()}
    return [
        ours(card["pairs"]["held_out"], 0),
        ours(card["conversations"], 0),
        before_and_after(accuracy, 1),
        interval(percent(card["held_out_low"]), percent(card["held_out_high"]), 1),
        *(ours(card[name], 0) for name in ("held_out_right", "held_out_wrong")),
        probability(card["held_out_p"]),
    ]
