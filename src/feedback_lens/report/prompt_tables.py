"""The prompts that drew feedback: Figures 3 and 4, Tables 12 and 15."""

from collections.abc import Mapping
from typing import Any

from feedback_lens.report.inputs import QUALITY_COLUMNS, SPLITS, Inputs, absent, name_corpus
from feedback_lens.report.reasons import about_data, about_labels, explain
from feedback_lens.report.values import (
    DRAWN,
    Row,
    Table,
    Value,
    compare,
    ours,
    ours_with_interval,
    probability,
    reported,
)

QUALITY = {
    "mean share of criteria": "mean",
    "complexity, 1 to 5": "difficulty",
    "tokens": "tokens",
}
BENCHMARKS = {"mtbench": "mt_bench", "wildbench": "wildbench"}


def list_prompt_tables(inputs: Inputs) -> list[Table]:
    """Figures 3 and 4, Tables 12 and 15."""
    return [
        _show_toxicity(inputs),
        _show_quality(inputs),
        _compare_quality(inputs),
        _compare_benchmarks(inputs),
    ]


def _show_toxicity(inputs: Inputs) -> Table:
    rows = []
    scorers = set()
    for corpus in inputs.run.all_corpora:
        metrics = inputs.metrics["score_toxicity"].get(corpus)
        if metrics:
            scorers.add(metrics["scorer"])
        found = _list_toxicity(metrics) if metrics else {}
        rows.append(compare(name_corpus(corpus), None, found, absent(corpus)))
    return Table(
        "Figure 3",
        "Toxicity of the prompts that drew feedback",
        f"score, 0 to 1; {DRAWN}",
        tuple(SPLITS.values()),
        tuple(rows),
        explain(
            about_data(inputs.run), f"scorer: {', '.join(sorted(scorers))}; paper: Perspective"
        ),
    )


def _list_toxicity(metrics: Mapping[str, Any]) -> dict[str, list[Value]]:
    splits, tests = [metrics[name] for name in SPLITS], metrics["rank_tests"]
    return {
        "prompts": [ours(split["n"], 0) for split in splits],
        "mean": [ours(split["mean"], 3) for split in splits],
        "median (quartiles)": [
            ours_with_interval([split["median"], split["q1"], split["q3"]], 2) for split in splits
        ],
        "p against random": [
            probability(tests["neg_vs_rand_p"]),
            Value(None, "–"),
            probability(tests["pos_vs_rand_p"]),
        ],
    }


def _show_quality(inputs: Inputs) -> Table:
    rows = []
    for corpus in inputs.run.all_corpora:
        metrics = inputs.metrics["rate_prompts"].get(corpus)
        found = _list_quality(metrics) if metrics else {}
        rows.append(compare(name_corpus(corpus), None, found, absent(corpus)))
    return Table(
        "Figure 4",
        "Quality of the prompts that drew feedback",
        f"share of the seven criteria met; {DRAWN} (Table 12 has some)",
        tuple(SPLITS.values()),
        tuple(rows),
        explain(about_data(inputs.run), _about_rater(inputs), about_labels(inputs)),
    )


def _list_quality(metrics: Mapping[str, Any]) -> dict[str, list[Value]]:
    return {
        label: [ours(metrics.get(split, {}).get(name), 3) for split in SPLITS]
        for label, name in QUALITY.items()
    }


def _compare_quality(inputs: Inputs) -> Table:
    paper = inputs.published["table12_prompt_quality"]
    rows: list[Row] = []
    for corpus in inputs.run.all_corpora:
        metrics = inputs.metrics["rate_prompts"].get(corpus)
        for split in ("rand", "neg", "pos"):
            content = paper.get(corpus, {}).get(split)
            published = [reported(cell) for cell in content] if content else None
            quality = (metrics or {}).get(split)
            found = (
                {"ours": [ours(quality[name], 3) for name in QUALITY_COLUMNS]} if quality else {}
            )
            missing = f"not run: no prompts in {split}" if metrics else absent(corpus)
            name = f"{name_corpus(corpus)}, {SPLITS[split]}"
            rows.append(compare(name, published, found, missing))
    lima = [reported(cell) for cell in paper["lima"]]
    rows.append(compare("LIMA", lima, {}, "not run: LIMA's prompts are not among the inputs"))
    return Table(
        "Table 12",
        "Quality of the prompts by criterion",
        "share of prompts that meet the criterion, 0 to 1",
        tuple(name.replace("_", " ") for name in QUALITY_COLUMNS),
        tuple(rows),
        explain(about_data(inputs.run), _about_rater(inputs), about_labels(inputs)),
    )


def _compare_benchmarks(inputs: Inputs) -> Table:
    paper, metrics = inputs.published["table15_benchmarks"], inputs.metrics["benchmarks"]
    rows = []
    for name, benchmark in BENCHMARKS.items():
        published = [reported(paper[name][key]) for key in ("prompts", "mean_tokens", "complexity")]
        found = {"ours": _describe_questions(metrics[benchmark])} if benchmark in metrics else {}
        missing = "not run: its questions are not rated"
        rows.append(compare(benchmark, published, found, missing))
    return Table(
        "Table 15",
        "The benchmarks' questions",
        "mean tokens of a question; mean complexity, 1 to 5",
        ("questions", "tokens", "complexity"),
        tuple(rows),
        explain(_about_questions(inputs), _about_rater(inputs), "words and marks count as tokens"),
    )


def _describe_questions(metrics: Mapping[str, Any]) -> list[Value]:
    decimals = {"prompts": 0, "tokens": 2, "difficulty": 2}
    return [ours(metrics[name], digits) for name, digits in decimals.items()]


def _about_questions(inputs: Inputs) -> str:
    sample = inputs.run.profile == "sample"
    return "sample data: a few questions of our own" if sample else ""


def _about_rater(inputs: Inputs) -> str:
    raters = {inputs.metrics["benchmarks"]["rater"]}
    raters |= {metrics["rater"] for metrics in inputs.metrics["rate_prompts"].values()}
    return f"rater: {', '.join(sorted(raters))}, not gpt-4o-mini"
