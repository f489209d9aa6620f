"""What training did to the models: their benchmark scores (Tables 4, 14 and 16), their losses."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback_lens.axes import Axes
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import PAPER_CORPORA, list_trained, untrained
from feedback_lens.report.reasons import about_data, about_models, explain
from feedback_lens.report.values import (
    NOT_RUN,
    Row,
    Table,
    Value,
    before_and_after,
    compare,
    ours,
    ours_with_spread,
    reported,
)

BASES = {"vicuna7b": "vicuna_7b", "mistral7b": "mistral_7b", "qwen1_5_4b": "qwen1_5_4b"}
BENCHMARKS = {"mtbench": "mt_bench", "wildbench": "wildbench"}
SCALES = (
    "MT-Bench 1 to 10; WildBench (mean rating - 5) × 20; ± is the standard deviation over seeds"
)


def list_training_tables(inputs: Inputs) -> list[Table]:
    """Tables 4, 14 and 16, cell by cell, and what the training itself tells."""
    return [
        _compare_scores(inputs),
        _compare_qwen(inputs),
        _compare_judges(inputs),
        _show_training(inputs),
    ]


def find_base(axes: Axes, base: str) -> str | None:
    """Our base beside one of the paper's: itself, or, where none of those is run, a stand-in."""
    if BASES[base] in axes.bases:
        return BASES[base]
    return None if set(BASES.values()) & set(axes.bases) else axes.bases[0]


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
        explain(about_data(inputs.axes, inputs.axes.trained), about_models(inputs.axes)),
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
        explain(about_data(inputs.axes, inputs.axes.trained), about_models(inputs.axes)),
    )


def _score_row(
    name: str,
    inputs: Inputs,
    columns: Sequence[tuple[str, ...]],
    content: Sequence[Any] | None,
    corpus: str | None,
    recipe: str,
) -> Row:
    judge = inputs.axes.judges[0]
    found = [
        _find_score(
            inputs, BENCHMARKS[benchmark], judge, find_base(inputs.axes, base), corpus, recipe
        )
        for benchmark, base in columns
    ]
    published = [reported(cell) for cell in content] if content else None
    any_found = any(value is not NOT_RUN for value in found)
    title = name if content else f"{name} (not in the paper)"
    found_by_judge = {f"ours, {judge} judge": found} if any_found else {}
    return compare(title, published, found_by_judge, why_absent(inputs.axes, corpus, recipe))


def _find_score(
    inputs: Inputs, benchmark: str, judge: str, base: str | None, corpus: str | None, recipe: str
) -> Value:
    place = inputs.metrics["summary"].get(benchmark, {}).get(judge, {}).get(base, {})
    scores = place if corpus is None else place.get(corpus, {})
    if recipe not in scores:
        return NOT_RUN
    return ours_with_spread(scores[recipe]["mean"], scores[recipe]["spread"], 2)


def why_absent(axes: Axes, corpus: str | None, recipe: str) -> str:
    """What stands in the place of a recipe's figures that there are not."""
    if corpus is not None and corpus not in axes.trained:
        return untrained(corpus)
    if corpus is not None and recipe not in axes.recipes:
        return f"not run: {recipe} is not in run.models.recipes"
    return "not run: none of the paper's bases of this table is in run.models.bases"


def describe_column(axes: Axes, benchmark: str, base: str) -> str:
    """A column of the paper by benchmark and base, and which base of ours stands beside it."""
    found = find_base(axes, base)
    beside = f"; ours: {found}" if found not in (None, BASES[base]) else ""
    return f"{BENCHMARKS[benchmark]}, {base}{beside}"


def _compare_judges(inputs: Inputs) -> Table:
    paper = inputs.published["table16_wildbench_two_judges_vicuna_wildchat"]
    base = find_base(inputs.axes, "vicuna7b")
    rows = []
    for recipe, content in paper.items():
        found = [
            _find_score(inputs, "wildbench", judge, base, "wildchat", recipe)
            for judge in inputs.axes.judges
        ]
        published = [reported(content[name]) for name in ("mt_judge", "wild_judge")]
        padded = [*published, *(Value(None, "–") for _ in found)]
        rows.append(compare(f"WildChat, {recipe}", padded, {"ours": [NOT_RUN, NOT_RUN, *found]}))
    return Table(
        "Table 16",
        "WildBench by two judges, Vicuna-7B",
        SCALES,
        (
            "MT judge (GPT-4)",
            "Wild judge (GPT-4)",
            *(f"{name} judge" for name in inputs.axes.judges),
        ),
        tuple(rows),
        explain(
            "the paper's judge is retired",
            about_data(inputs.axes, inputs.axes.trained),
            about_models(inputs.axes),
        ),
    )


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
        "What training did to the models (not in the paper)",
        "loss in nats a token of the replies held out, before → after; KTO's reward margin: how "
        "much more the desirable than the undesirable ones gained; means over seeds",
        ("method", "rows", "held-out rows", "held-out loss", "held-out reward margin"),
        tuple(rows),
        "",
    )


def _describe_training(card: Mapping[str, Any]) -> list[Value]:
    margin = card["held_out_reward_margin"]
    return [
        Value(None, card["method"]),
        *(ours(card[name], 0) for name in ("rows", "held_out_rows")),
        before_and_after(card["held_out_loss"], 3),
        ours(margin, 3) if card["method"] == "kto" else Value(None, "–"),
    ]
