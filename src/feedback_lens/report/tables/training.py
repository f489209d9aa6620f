"""What training did to the models: their benchmark scores (Tables 4, 14 and 16)."""

from collections.abc import Sequence
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import (
    BASES,
    BENCHMARKS,
    BESIDE,
    PAPER_CORPORA,
    list_trained,
    untrained,
)
from feedback_lens.report.tables.reasons import about_data, about_models, explain
from feedback_lens.report.tables.rows import Row, Table, compare
from feedback_lens.report.tables.values import NOT_RUN, Value, ours_with_spread, reported

JUDGES = {"mt_judge": "MT judge (GPT-4)", "wild_judge": "Wild judge (GPT-4)"}  # of Table 16
SCALES = (
    "MT-Bench 1 to 10; WildBench (mean rating - 5) × 20; ± is the standard deviation over seeds; "
    "by the first judge of the benchmark in params.yaml"
)


def list_training_tables(inputs: Inputs) -> list[Table]:
    """Tables 4, 14 and 16, cell by cell."""
    return [_compare_scores(inputs), _compare_qwen(inputs), _compare_judges(inputs)]


def find_base(axes: Axes, base: str) -> str | None:
    """Our base beside one of the paper's: itself, or, where none of those is run, a stand-in."""
    if BASES[base] in axes.bases:
        return BASES[base]
    stand_ins = () if set(BASES.values()) & set(axes.bases) else axes.bases
    return next(iter(stand_ins), None)


def find_judge(axes: Axes, benchmark: str) -> str | None:
    """Our judge beside the paper's of Table 4: the first that judges the benchmark."""
    return next(iter(list_judges(axes, benchmark)), None)


def list_judges(axes: Axes, benchmark: str) -> list[str]:
    """Our judges of a benchmark."""
    return [name for name, judge in axes.judges.items() if benchmark in judge.benchmarks]


def _compare_scores(inputs: Inputs) -> Table:
    paper = inputs.published["table4_training"]
    columns = [tuple(column.split("_")) for column in paper["columns"]]
    rows = [_score_row("Untrained base", inputs, columns, paper["base"], None, "base")]
    for corpus in list_trained(inputs.axes):
        recipes = paper.get(corpus, {})
        for recipe in dict.fromkeys((*recipes, *inputs.axes.recipes)):
            name = f"{PAPER_CORPORA.get(corpus, corpus)}, {recipe}"
            rows.append(_score_row(name, inputs, columns, recipes.get(recipe), corpus, recipe))
    return Table(
        "Table 4",
        "Benchmark scores after training",
        SCALES,
        tuple(describe_column(inputs.axes, *column) for column in columns),
        tuple(rows),
        explain(about_data(inputs.axes, inputs.axes.trained), about_models(inputs)),
    )


def _compare_qwen(inputs: Inputs) -> Table:
    paper = inputs.published["table14_mtbench_qwen1_5_4b"]
    columns = [("mtbench", "qwen1_5_4b")]
    rows = [_score_row("Untrained base", inputs, columns, [paper["base"]], None, "base")]
    for corpus, recipe in ((c, r) for c in PAPER_CORPORA for r in paper[c]):
        name = f"{PAPER_CORPORA[corpus]}, {recipe}"
        rows.append(_score_row(name, inputs, columns, [paper[corpus][recipe]], corpus, recipe))
    return Table(
        "Table 14",
        "MT-Bench scores of Qwen1.5-4B",
        SCALES,
        tuple(describe_column(inputs.axes, *column) for column in columns),
        tuple(rows),
        explain(about_data(inputs.axes, inputs.axes.trained), about_models(inputs)),
    )


def _score_row(
    name: str,
    inputs: Inputs,
    columns: Sequence[tuple[str, ...]],
    content: Sequence[Any] | None,
    corpus: str | None,
    recipe: str,
) -> Row:
    found = [
        _find_score(
            inputs,
            BENCHMARKS[benchmark],
            find_judge(inputs.axes, BENCHMARKS[benchmark]),
            find_base(inputs.axes, base),
            corpus,
            recipe,
        )
        for benchmark, base in columns
    ]
    # an untrained base has no seeds
    seeds = None if corpus is None else inputs.published["training"]["seeds"]
    published = [reported(cell, seeds) for cell in content] if content else None
    any_found = any(value is not NOT_RUN for value in found)
    title = name if content else f"{name} {BESIDE}"
    missing = why_absent(inputs.axes, corpus, recipe)
    return compare(title, published, {"ours": found} if any_found else {}, missing)


def _find_score(
    inputs: Inputs,
    benchmark: str,
    judge: str | None,
    base: str | None,
    corpus: str | None,
    recipe: str,
) -> Value:
    place = (benchmark, judge, base, *([] if corpus is None else [corpus]), recipe)
    score = look_up(inputs.metrics["summary"], *place)
    if score is None:
        return NOT_RUN
    return ours_with_spread(score["mean"], score["spread"], 2, count_seeds(inputs, *place))


def count_seeds(inputs: Inputs, *place: str | None) -> int:
    """The seeds behind a score, at its place by benchmark, judge, base, corpus and recipe."""
    return int(look_up(inputs.metrics["scores"], *place)["seeds"])


def look_up(content: Any, *keys: str | None) -> Any:
    """What stands below the keys; null where one of them is missing."""
    for key in keys:
        content = (content or {}).get(key)
    return content


def why_absent(axes: Axes, corpus: str | None, recipe: str) -> str:
    """What stands in the place of a recipe's figures that there are not."""
    if corpus is not None and corpus not in axes.trained:
        return untrained(corpus)
    if corpus is not None and recipe not in axes.recipes:
        return f"not run: {recipe} is not in run.models.recipes"
    return "not run: none of the bases of this table is in run, or no judge judges it"


def describe_column(axes: Axes, benchmark: str, base: str) -> str:
    """A column of the paper by benchmark and base, and what of ours stands beside it."""
    found, judge = find_base(axes, base), find_judge(axes, BENCHMARKS[benchmark])
    stand_in = f"{found}, " if found not in (None, BASES[base]) else ""
    beside = f"; ours: {stand_in}{judge} judge" if found and judge else ""
    return f"{BENCHMARKS[benchmark]}, {base}{beside}"


def _compare_judges(inputs: Inputs) -> Table:
    paper = inputs.published["table16_wildbench_two_judges_vicuna_wildchat"]
    base, judges = find_base(inputs.axes, "vicuna7b"), list_judges(inputs.axes, "wildbench")
    beside = [*judges, None, None][: len(JUDGES)]
    seeds = inputs.published["training"]["seeds"]
    rows = []
    for recipe, content in paper.items():
        found = [
            _find_score(inputs, "wildbench", judge, base, "wildchat", recipe) for judge in beside
        ]
        any_found = any(value is not NOT_RUN for value in found)
        published = [reported(content[name], seeds) for name in JUDGES]
        missing = why_absent(inputs.axes, "wildchat", recipe)
        name = f"WildChat, {recipe}"
        rows.append(compare(name, published, {"ours": found} if any_found else {}, missing))
    return Table(
        "Table 16",
        "WildBench by two judges, Vicuna-7B",
        "(mean rating - 5) × 20; ± is the standard deviation over seeds; beside the paper's the "
        "first and the second judge of WildBench in params.yaml",
        tuple(
            f"{title}; ours: {judge} judge" if judge else title
            for title, judge in zip(JUDGES.values(), beside, strict=True)
        ),
        tuple(rows),
        explain(about_data(inputs.axes, inputs.axes.trained), about_models(inputs)),
    )
