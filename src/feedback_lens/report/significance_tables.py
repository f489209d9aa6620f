"""Whether recipes differ: Table 17."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import PAPER_CORPORA, list_trained
from feedback_lens.report.reasons import about_data, about_models, explain
from feedback_lens.report.training_tables import BENCHMARKS, describe_column, find_base, why_absent
from feedback_lens.report.values import (
    NOT_RUN,
    Row,
    Table,
    Value,
    compare,
    ours_with_interval,
    probability,
    reported,
)

Metrics = Mapping[str, Any]


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
        "Paired t-tests against training on rand_scratch",
        "p-values over questions; below them, Holm's correction over all tests",
        tuple(describe_column(inputs.axes, *column) for column in columns),
        tuple(rows),
        explain(about_data(inputs.axes, inputs.axes.trained), about_models(inputs.axes)),
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
        label: [probability(test[key]) if test else NOT_RUN for test in tests]
        for label, key in {"ours": "p", "ours, Holm": "p_holm"}.items()
    }
    published = [reported(cell) for cell in content] if content else None
    return [compare(name if content else f"{name} (not in the paper)", published, found)]


def _find_test(
    inputs: Inputs, benchmark: str, base: str | None, corpus: str, recipe: str
) -> Metrics | None:
    judge = inputs.axes.judges[0]
    place = inputs.metrics["significance"].get(benchmark, {}).get(judge, {}).get(base, {})
    found: Metrics | None = place.get(corpus, {}).get(recipe)
    return found


def _show_differences(inputs: Inputs) -> Table:
    rows = []
    for benchmark, judges in inputs.metrics["significance"].items():
        for judge, bases in judges.items():
            for base, corpora in bases.items():
                for corpus, recipes in corpora.items():
                    found = {recipe: [_list_difference(test)] for recipe, test in recipes.items()}
                    rows.append(
                        compare(f"{benchmark}, {judge} judge, {base}, {corpus}", None, found)
                    )
    return Table(
        "Differences",
        "How far the recipes are from the reference recipe",
        "on the benchmark's scale, 95% interval over questions and seeds; not in the paper, whose "
        "p-values tell no size",
        ("recipe less reference",),
        tuple(rows),
        "",
    )


def _list_difference(test: Metrics) -> Value:
    return ours_with_interval([test["mean_difference"], test["low"], test["high"]], 2)
