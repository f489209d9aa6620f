"""What stands behind the scores, which the paper does not tell: every model that is judged."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedback_lens.axes import UNTRAINED
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE
from feedback_lens.report.tables.rows import Table, compare
from feedback_lens.report.tables.values import (
    BLANK,
    DASH,
    Value,
    interval,
    ours,
    ours_with_interval,
    ours_with_spread,
    percent,
)

Metrics = Mapping[str, Any]
DETAILS = (
    "mean ± spread",
    "seeds",
    "with unscored as 1 to 10",
    "unscored",
    "judgments",
    "answers",
    "cut off",
    "mean tokens",
    "turn 1",
    "turn 2",
)


def list_score_tables(inputs: Inputs) -> list[Table]:
    """Scores with what they leave out, their categories, and comparisons in pairs."""
    scores = inputs.metrics["scores"]
    return [
        _show_details(inputs),
        *(_show_categories(benchmark, judges) for benchmark, judges in scores.items()),
        *([_show_pairs(inputs)] if inputs.metrics["compare_answers"] else []),
    ]


def list_groups(metrics: Metrics) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Benchmark, judge and base, and what is known of each of their models, by its name."""
    for benchmark, judges in metrics.items():
        for judge, bases in judges.items():
            for base, corpora in bases.items():
                yield benchmark, judge, base, dict(_list_models(corpora))


def _list_models(corpora: Metrics) -> Iterator[tuple[str, Any]]:
    for corpus, recipes in corpora.items():
        if corpus == UNTRAINED:
            yield "untrained", recipes
            continue
        for recipe, found in recipes.items():
            yield f"{corpus}, {recipe}", found


def _show_details(inputs: Inputs) -> Table:
    details = {tuple(names): models for *names, models in list_groups(inputs.metrics["scores"])}
    rows = [
        compare(
            f"{benchmark}, {judge} judge, {base}",
            None,
            {
                name: _list_details(summary, details[benchmark, judge, base][name])
                for name, summary in models.items()
            },
        )
        for benchmark, judge, base, models in list_groups(inputs.metrics["summary"])
    ]
    return Table(
        "Score details",
        f"All scores, and what they leave out {BESIDE}",
        "means are over the judgments that could be read, as FastChat and WildBench have it, and "
        "beside them were the unscored ones all a 1 or all a 10; ± is the standard deviation over "
        "seeds; cut off: answers that reached answer.max_tokens",
        DETAILS,
        tuple(rows),
    )


def _list_details(summary: Metrics, details: Metrics) -> list[Value]:
    repetitions = summary.get("spread_repetitions")
    mean = ours_with_spread(summary["mean"], summary["spread"], 2)
    bounds = (details["complete_low"], details["complete_high"])
    drawn = "" if repetitions is None else f"; {repetitions:.2f} between draws"
    return [
        Value(mean.number, f"{mean.text}{drawn}", 2),
        ours(details["seeds"], 0),
        interval(*bounds, 2) if details["unscored"] else DASH,
        *(ours(details[name], 0) for name in ("unscored", "judgments", "answers", "cut_off")),
        ours(details["tokens"], 1),
        *(ours(details[name], 2) if name in details else DASH for name in ("turn_1", "turn_2")),
    ]


def _show_categories(benchmark: str, judges: Metrics) -> Table:
    groups = list(list_groups({benchmark: judges}))
    found = [content for *_, models in groups for content in models.values()]
    names = sorted({name for content in found for name in content["categories"]})
    weighted = any("macro" in content for content in found)
    rows = [
        compare(f"{judge} judge, {base}", None, dict(_list_categories(models, names, weighted)))
        for _, judge, base, models in groups
    ]
    columns = (*names, "weighted mean", "empty answers", "mean characters") if weighted else names
    return Table(
        f"Categories {benchmark}",
        f"Scores by category {BESIDE}",
        "scores as in Table 4, means over seeds"
        + (
            "; WildBench leaves empty answers out of these figures, and a task counts in each of "
            "its groups"
            if weighted
            else ""
        ),
        tuple(columns),
        tuple(rows),
    )


def _list_categories(
    models: Metrics, names: list[str], weighted: bool
) -> Iterator[tuple[str, list[Value]]]:
    """A line for each model, and one more where WildBench's way leaves something out."""
    for model, found in models.items():
        figures = [ours(found["categories"].get(name), 2) for name in names]
        if not weighted:
            yield model, figures
            continue
        rest = [ours(found["empty"], 0), ours(found["characters"], 0)]
        yield model, [*figures, ours(found["macro"], 2), *rest]
        complete, macro = found["categories_complete"], found["macro_complete"]
        if (complete, macro) != (found["categories"], found["macro"]):
            whole = [ours(complete.get(name), 2) for name in names]
            yield f"{model}, with all answers", [*whole, ours(macro, 2), BLANK, BLANK]


def _show_pairs(inputs: Inputs) -> Table:
    judges = inputs.axes.pair_judges
    rates = inputs.metrics["compare_answers"]
    rows = [
        compare(
            f"{benchmark}, {judge} judge, {base}, over {judges[judge].against}",
            None,
            {name: _list_wins(rate) for name, rate in models.items()},
        )
        for name, benchmarks in rates.items()
        for benchmark, judge, base, models in list_groups(
            {benchmark: {name: bases} for benchmark, bases in benchmarks.items()}
        )
    ]
    return Table(
        "Answer pairs",
        f"How often a recipe's answer beats that of another {BESIDE}",
        "percent of the comparisons, ties count half; 95% interval over questions and seeds; a "
        "comparison whose two orders disagree is a tie",
        ("win rate", "comparisons", "ties", "unscored", "orders that agree, percent"),
        tuple(rows),
    )


def _list_wins(rate: Metrics) -> list[Value]:
    return [
        ours_with_interval([percent(rate[name]) for name in ("win_rate", "low", "high")], 1),
        *(ours(rate[name], 0) for name in ("n", "ties", "unscored")),
        ours(percent(rate["order_agreement"]), 1),
    ]
