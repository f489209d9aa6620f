"""The toxicity of the prompts that drew feedback (Figure 3), and rank tests between the splits."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import (
    BESIDE,
    PAPER_CORPORA,
    SPLITS,
    absent,
    list_corpora,
    name_corpus,
)
from feedback_lens.report.tables.reasons import about_data, about_labels, about_scorer, explain
from feedback_lens.report.tables.rows import NO_NUMBERS, Row, Table, compare
from feedback_lens.report.tables.values import (
    DASH,
    DRAWN,
    Value,
    ours,
    ours_with_interval,
    ours_with_quartiles,
    percent,
    probability,
    size,
)

PAIRS = {
    "neg_vs_rand": "negative and random",
    "pos_vs_rand": "positive and random",
    "pos_vs_neg": "positive and negative",
}
MEAN = ("mean", "low", "high")
QUARTILES = ("median", "q1", "q3")
MEASURED = {"score_toxicity": "toxicity", "rate_prompts": "criteria met"}


def show_toxicity(inputs: Inputs) -> Table:
    """Figure 3."""
    rows = []
    for corpus in list_corpora(inputs.axes):
        metrics = inputs.metrics["score_toxicity"].get(corpus)
        found = _list_toxicity(metrics) if metrics else {}
        drawn = [DRAWN] * len(SPLITS) if corpus in PAPER_CORPORA else None
        rows.append(compare(name_corpus(corpus), drawn, found, absent(corpus)))
    return Table(
        "Figure 3",
        "Toxicity of the prompts that drew feedback",
        "score, 0 to 1; the mean with a 95% interval over prompts; p of the Mann-Whitney U test; "
        f"{NO_NUMBERS}",
        tuple(SPLITS.values()),
        tuple(rows),
        explain(
            about_data(inputs.axes, inputs.axes.corpora), about_scorer(inputs), about_labels(inputs)
        ),
    )


def _list_toxicity(metrics: Mapping[str, Any]) -> dict[str, list[Value]]:
    splits, tests = [metrics[name] for name in SPLITS], metrics["rank_tests"]
    against = [tests.get(f"{name}_vs_rand", {}) for name in SPLITS]
    return {
        f"prompts with a score by {metrics['scorer']}": [size(s["n"]) for s in splits],
        "prompts without a score": [size(s["unscored"]) for s in splits],
        "mean": [ours_with_interval([s[n] for n in MEAN], 3) for s in splits],
        "median (quartiles)": [ours_with_quartiles([s[n] for n in QUARTILES], 3) for s in splits],
        "percent above 0.5": [ours(percent(split["above_half"]), 1) for split in splits],
        "p against random": [probability(t["p"]) if t else DASH for t in against],
        "p against random, Holm": [probability(t["p_holm"]) if t else DASH for t in against],
    }


def show_rank_tests(inputs: Inputs) -> Table:
    """The rank tests of toxicity and of the prompts' quality, with the sizes of the differences."""
    return Table(
        "Rank tests",
        f"Whether the prompts of two splits differ {BESIDE}",
        "Mann-Whitney U; Holm's correction over the tests of one corpus; superiority: how often a "
        "prompt of the first split is above one of the second, ties counting half; Cliff's delta, "
        "-1 to 1, with a 95% interval over prompts",
        ("p", "p, Holm", "superiority", "Cliff's delta"),
        tuple(_list_tests(inputs)),
    )


def _list_tests(inputs: Inputs) -> Iterator[Row]:
    for stage, measured in MEASURED.items():
        for corpus, metrics in inputs.metrics[stage].items():
            tests = metrics["rank_tests"]
            found = {PAIRS[pair]: _describe(test) for pair, test in tests.items()}
            yield compare(f"{corpus}, {measured}", None, found)


def _describe(test: Mapping[str, Any]) -> list[Value]:
    return [
        probability(test["p"]),
        probability(test["p_holm"]),
        ours(test["superiority"], 2),
        ours_with_interval([test[name] for name in ("delta", "delta_low", "delta_high")], 2),
    ]
