"""Whether recipes differ: Table 17."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BENCHMARKS, BESIDE, PAPER_CORPORA, list_trained
from feedback_lens.report.tables.reasons import about_data, about_models, explain
from feedback_lens.report.tables.rows import Row, Table, compare
from feedback_lens.report.tables.score import list_groups
from feedback_lens.report.tables.training import (
    count_seeds,
    describe_column,
    find_base,
    find_judge,
    look_up,
    why_absent,
)
from feedback_lens.report.tables.values import (
    NOT_RUN,
    Value,
    ours,
    ours_with_interval,
    probability,
    reported,
)

Metrics = Mapping[str, Any]
LINES: Mapping[str, Callable[[Metrics], float | None]] = {
    "ours": lambda test: test["p"],
    "ours, Holm": lambda test: test["p_holm"],
    "ours, questions and seeds": lambda test: test["runs"]["p"],
}


def list_significance_tables(inputs: Inputs) -> list[Table]:
    """Table 17, and the sizes of the differences beside it."""
    return [_compare_p_values(inputs), _show_differences(inputs)]


def _compare_p_values(inputs: Inputs) -> Table:
    paper = inputs.published["table17_paired_t_test_p"]
    columns = [tuple(column.split("_")) for column in paper["columns"]]
    rows = []
    for corpus in list_trained(inputs.axes):
        for recipe in dict.fromkeys((*paper.get(corpus, {}), *inputs.axes.recipes)):
            places = [
                (
                    BENCHMARKS[benchmark],
                    find_judge(inputs.axes, BENCHMARKS[benchmark]),
                    find_base(inputs.axes, base),
                    corpus,
                    recipe,
                )
                for benchmark, base in columns
            ]
            rows += _p_row(inputs, corpus, recipe, paper.get(corpus, {}).get(recipe), places)
    return Table(
        "Table 17",
        "Paired t-tests against the reference recipe (the paper's: rand_scratch)",
        "p-values of tests over questions, each its mean over seeds; below them, Holm's correction "
        "over all tests, and tests over pairs of a question and a seed, as if the seeds of two "
        "recipes belonged together: too small a p; the paper does not say what its tests pair",
        tuple(describe_column(inputs.axes, *column) for column in columns),
        tuple(rows),
        explain(about_data(inputs.axes, inputs.axes.trained), about_models(inputs)),
    )


def _p_row(
    inputs: Inputs,
    corpus: str,
    recipe: str,
    content: Sequence[Any] | None,
    places: Sequence[tuple[str | None, ...]],
) -> list[Row]:
    name = f"{PAPER_CORPORA.get(corpus, corpus)}, {recipe}"
    tests = [look_up(inputs.metrics["significance"], *place) for place in places]
    seeds = [count_seeds(inputs, *p) if t else 0 for t, p in zip(tests, places, strict=True)]
    found = {
        label: [
            replace(probability(find(test)), seeds=number) if test else NOT_RUN
            for test, number in zip(tests, seeds, strict=True)
        ]
        for label, find in LINES.items()
    }
    if not content:
        return [compare(f"{name} {BESIDE}", None, found)] if any(tests) else []
    published = [reported(cell, inputs.published["training"]["seeds"]) for cell in content]
    missing = why_absent(inputs.axes, corpus, recipe)
    return [compare(name, published, found if any(tests) else {}, missing)]


def _show_differences(inputs: Inputs) -> Table:
    rows = [
        compare(
            f"{benchmark}, {judge} judge, {base}",
            None,
            {name: _list_difference(test) for name, test in models.items()},
        )
        for benchmark, judge, base, models in list_groups(inputs.metrics["significance"])
    ]
    return Table(
        "Differences",
        "How far the recipes are from the reference recipe",
        "on the benchmark's scale, 95% interval over questions and seeds; not in the paper, whose "
        "p-values tell no size; p as in Table 17, of t-tests over questions",
        ("recipe less reference", "questions", "t", "p", "p, Holm"),
        tuple(rows),
    )


def _list_difference(test: Metrics) -> list[Value]:
    return [
        ours_with_interval([test["mean_difference"], test["low"], test["high"]], 2),
        ours(test["n"], 0),
        ours(test["t"], 2),
        probability(test["p"]),
        probability(test["p_holm"]),
    ]
