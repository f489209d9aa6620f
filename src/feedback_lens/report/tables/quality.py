"""The quality of prompts: Figure 4, Tables 12 and 15."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import (
    BENCHMARKS,
    BESIDE,
    PAPER_CORPORA,
    SPLITS,
    absent,
    list_corpora,
    name_corpus,
)
from feedback_lens.report.tables.causes import SAMPLE_DATA
from feedback_lens.report.tables.reasons import (
    about_data,
    about_labels,
    about_rater,
    about_tokens,
    explain,
)
from feedback_lens.report.tables.rows import NO_NUMBERS, Reason, Row, Table, compare
from feedback_lens.report.tables.values import (
    DRAWN,
    Value,
    ours,
    ours_with_interval,
    ours_with_quartiles,
    reported,
    size,
)

COLUMNS = (*CRITERIA, "mean")
MEASURES = {  # line: measure, decimals
    "mean share of criteria": ("mean", 3),
    "complexity, 1 to 5": ("difficulty", 2),
    "tokens": ("tokens", 1),
}
RATED = ("rate_prompts", "rate_prompt_sets")


def show_quality(inputs: Inputs) -> Table:
    """Figure 4."""
    rows = []
    for corpus in list_corpora(inputs.axes):
        metrics = inputs.metrics["rate_prompts"].get(corpus)
        found = _list_quality(metrics) if metrics else {}
        drawn = [DRAWN] * len(SPLITS) if corpus in PAPER_CORPORA else None
        rows.append(compare(name_corpus(corpus), drawn, found, absent(corpus)))
    return Table(
        "Figure 4",
        "Quality of the prompts that drew feedback",
        f"of the seven criteria; 95% intervals over prompts; {NO_NUMBERS} (Table 12 has some)",
        tuple(SPLITS.values()),
        tuple(rows),
        explain(
            about_data(inputs.axes, inputs.axes.corpora),
            about_rater(inputs, "rate_prompts"),
            about_tokens(inputs, "rate_prompts"),
            about_labels(inputs),
        ),
    )


def _list_quality(metrics: Mapping[str, Any]) -> dict[str, list[Value]]:
    splits = [metrics.get(split) for split in SPLITS]
    return {
        **{
            name: [size(split and split[name]) for split in splits]
            for name in ("prompts", "unreadable")
        },
        "criteria met: median (quartiles)": [_quartiles(split) for split in splits],
        **{
            label: [_with_interval(split, *measure) for split in splits]
            for label, measure in MEASURES.items()
        },
    }


def _quartiles(quality: Mapping[str, Any] | None) -> Value:
    met = quality["criteria_met"] if quality else {}
    return ours_with_quartiles([met.get(name) for name in ("median", "q1", "q3")], 1)


def _with_interval(quality: Mapping[str, Any] | None, name: str, decimals: int) -> Value:
    if not quality:
        return ours(None, decimals)
    ends = quality["intervals"][name]
    return ours_with_interval([quality[name], ends["low"], ends["high"]], decimals)


def compare_quality(inputs: Inputs) -> Table:
    """Table 12."""
    return Table(
        "Table 12",
        "Quality of the prompts by criterion",
        "share of prompts that meet the criterion, 0 to 1, with 95% intervals over prompts",
        tuple(name.replace("_", " ") for name in COLUMNS),
        (*_compare_splits(inputs), *_compare_sets(inputs)),
        explain(
            about_data(inputs.axes, inputs.axes.corpora),
            about_rater(inputs, *RATED),
            about_labels(inputs),
        ),
    )


def _compare_splits(inputs: Inputs) -> Iterator[Row]:
    paper = inputs.published["table12_prompt_quality"]
    for corpus in list_corpora(inputs.axes):
        metrics = inputs.metrics["rate_prompts"].get(corpus)
        for split in ("rand", "neg", "pos"):
            content = paper.get(corpus, {}).get(split)
            published = [reported(cell) for cell in content] if content else None
            quality = (metrics or {}).get(split)
            missing = f"not run: no prompts in {split}" if metrics else absent(corpus)
            name = f"{name_corpus(corpus)}, {SPLITS[split]}"
            yield compare(name, published, _list_shares(quality), missing)


def _compare_sets(inputs: Inputs) -> Iterator[Row]:
    rated = inputs.metrics["rate_prompt_sets"]
    lima = [reported(cell) for cell in inputs.published["table12_prompt_quality"]["lima"]]
    found = _list_shares(rated["lima"]["lima"]) if "lima" in rated else {}
    yield compare("LIMA", lima, found, "not run: prompt_sets has no lima")
    for name, metrics in rated.items():
        if name != "lima":
            yield compare(f"{name} {BESIDE}", None, _list_shares(metrics[name]))


def _list_shares(quality: Mapping[str, Any] | None) -> dict[str, list[Value]]:
    if not quality:
        return {}
    shares = [_with_interval(quality, name, 3) for name in COLUMNS]
    return {f"ours (n = {quality['prompts']})": shares}


def compare_benchmarks(inputs: Inputs) -> Table:
    """Table 15."""
    paper, rated = inputs.published["table15_benchmarks"], inputs.metrics["rate_prompt_sets"]
    rows = []
    for name, benchmark in BENCHMARKS.items():
        published = [reported(paper[name][key]) for key in ("prompts", "mean_tokens", "complexity")]
        found = {"ours": _describe(rated[benchmark][benchmark])} if benchmark in rated else {}
        missing = f"not run: prompt_sets has no {benchmark}"
        rows.append(compare(benchmark, published, found, missing))
    for name, metrics in rated.items():
        if name not in BENCHMARKS.values():
            rows.append(compare(f"{name} {BESIDE}", None, {"ours": _describe(metrics[name])}))
    return Table(
        "Table 15",
        "The benchmarks' questions",
        "mean tokens of a question; mean complexity, 1 to 5; 95% intervals over questions",
        ("questions", "tokens", "complexity"),
        tuple(rows),
        explain(
            _about_questions(inputs),
            about_rater(inputs, "rate_prompt_sets"),
            about_tokens(inputs, "rate_prompt_sets"),
        ),
    )


def _describe(quality: Mapping[str, Any]) -> list[Value]:
    measures = [_with_interval(quality, name, 2) for name in ("tokens", "difficulty")]
    return [size(quality["prompts"]), *measures]


def _about_questions(inputs: Inputs) -> Reason:
    if inputs.axes.profile != "sample":
        return Reason()
    return Reason("sample data: a few questions of our own", (SAMPLE_DATA,))
