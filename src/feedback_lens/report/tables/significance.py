"""Whether recipes differ: Table 17."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import PAPER_CORPORA, list_trained
from feedback_lens.report.tables.reasons import about_data, about_models, explain
from feedback_lens.report.tables.score import list_groups
from feedback_lens.report.tables.training import (
    BENCHMARKS,
    describe_column,
    find_base,
    find_judge,
    why_absent,
)
from feedback_lens.report.tables.values import (
    NOT_RUN,
    Row,
    Table,
    Value,
    compare,
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
            tests = [
                _find_test(
                    inputs, BENCHMARKS[benchmark], find_base(inputs.axes, base), corpus, recipe
                )
                for benchmark, base in columns
            ]
            content = paper.get(corpus, {}).get(recipe)
            rows += _p_row(inputs.axes, corpus, recipe, content, tests)
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
    axes: Axes,
    corpus: str,
    recipe: str,
    content: Sequence[Any] | None,
    tests: Sequence[Metrics | None],
) -> list[Row]:
    name = f"{PAPER_CORPORA.get(corpus, corpus)}, {recipe}"
    if not any(tests):
        if not content:
            return []
        missing = why_absent(axes, corpus, recipe)
        return [compare(name, [reported(cell) for cell in content], {}, missing)]
    found = {
        label: [probability(find(test)) if test else NOT_RUN for test in tests]
        for label, find in LINES.items()
    }
    published = [reported(cell) for cell in content] if content else None
    return [compare(name if content else f"{name} (not in the paper)", published, found)]


def _find_test(
    inputs: Inputs, benchmark: str, base: str | None, corpus: str, recipe: str
) -> Metrics | None:
    judge = find_judge(inputs.axes, benchmark)
    place = inputs.metrics["significance"].get(benchmark, {}).get(judge, {}).get(base, {})
    found: Metrics | None = place.get(corpus, {}).get(recipe)
    return found


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
        "",
    )


def _list_difference(test: Metrics) -> list[Value]:
    return [
        ours_with_interval([test["mean_difference"], test["low"], test["high"]], 2),
        ours(test["n"], 0),
        ours(test["t"], 2),
        probability(test["p"]),
        probability(test["p_holm"]),
    ]
