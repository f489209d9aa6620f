"""What training is about: win rates of the replies (Tables 3, 13), scores (Table 4), losses."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from statistics import fmean
from typing import Any

from feedback_lens.axes import UNTRAINED
from feedback_lens.report.inputs import Inputs, Points
from feedback_lens.report.plots.charts import Chart, draw_points, list_ticks
from feedback_lens.report.plots.curves import Point, draw_curves
from feedback_lens.report.plots.series import number_series
from feedback_lens.report.plots.svg import Mark

BINS = 60  # points of a curve at most
SETTINGS = {"with_feedback": "with the feedback in view", "without_feedback": "without it"}


def draw_win_rates(inputs: Inputs) -> list[Chart]:
    """The win rates of each corpus."""
    charts = []
    for corpus, splits in inputs.metrics["compare_replies"].items():
        rows = []
        for split, pairs in splits.items():
            for pair, settings in pairs.items():
                a, b = (side.replace("weak_next", "next") for side in pair.split("_vs_"))
                rows.append((f"{split}: {a} > {b}", [_mark_rate(s, settings[s]) for s in SETTINGS]))
        title = f"Win rates of the replies, {corpus} (percent, 95% interval)"
        charts.append(draw_points(title, rows, tuple(SETTINGS.items()), lines=(0.0, 50.0)))
    return charts


def _mark_rate(series: str, rate: Mapping[str, Any]) -> Mark:
    value, low, high = (
        None if rate[key] is None else 100 * rate[key] for key in ("win_rate", "low", "high")
    )
    return Mark(series, value, low, high)


def draw_scores(inputs: Inputs) -> list[Chart]:
    """The scores of each benchmark, judge and base."""
    series = number_series(inputs.axes.trained)
    return [
        _draw_base(f"{base}, {benchmark}, {judge} judge", scores, series)
        for benchmark, judges in inputs.metrics["summary"].items()
        for judge, bases in judges.items()
        for base, scores in bases.items()
    ]


def _draw_base(what: str, scores: Mapping[str, Any], series: Sequence[tuple[str, str]]) -> Chart:
    untrained = scores.get(UNTRAINED, {}).get("mean")
    lines = () if untrained is None else (untrained,)
    rows = [("untrained", [Mark("untrained", untrained)])] if UNTRAINED in scores else []
    for style, corpus in series:
        recipes = scores.get(corpus, {})
        rows += [(recipe, [_mark_score(style, summary)]) for recipe, summary in recipes.items()]
    return draw_points(f"Scores of {what} (mean ± spread over seeds)", rows, series, lines=lines)


def _mark_score(series: str, summary: Mapping[str, Any]) -> Mark:
    mean, spread = summary["mean"], summary["spread"]
    if mean is None or spread is None:
        return Mark(series, mean)
    return Mark(series, mean, mean - spread, mean + spread)


def draw_losses(inputs: Inputs) -> list[Chart]:
    """The training losses of each base and corpus, those of each method apart."""
    losses: defaultdict[tuple[str, str, str], list[Mapping[str, str]]] = defaultdict(list)
    for point in inputs.curves["loss"]:
        losses[point["base"], point["corpus"], point["recipe"]].append(point)
    charts: defaultdict[tuple[str, str, str], dict[str, Points]] = defaultdict(dict)
    for base, corpora in inputs.metrics["training"].items():
        for corpus, recipes in corpora.items():
            for recipe, card in recipes.items():
                charts[base, corpus, card["method"]][recipe] = losses[base, corpus, recipe]
    styles = {recipe: style for style, recipe in number_series(inputs.axes.recipes)}
    return [_draw_losses(names, recipes, styles) for names, recipes in charts.items()]


def _draw_losses(
    names: tuple[str, str, str], recipes: Mapping[str, Points], styles: Mapping[str, str]
) -> Chart:
    base, corpus, method = names
    curves = [(styles[recipe], _average_steps(points)) for recipe, points in recipes.items()]
    places = [place for _, points in curves for place in points]
    chart = draw_curves(
        f"Training loss of {base} on {corpus}, {method} (mean over seeds)",
        curves,
        [(styles[recipe], recipe) for recipe in recipes],
        ("step", "loss"),
        ticks=(list_ticks([step for step, _ in places]), list_ticks([loss for _, loss in places])),
    )
    return replace(chart, note=f"Neighboring steps are averaged where there are more than {BINS}.")


def _average_steps(points: Points) -> list[Point]:
    """Mean losses over seeds, and over neighboring steps where there are more than `BINS`."""
    last = max((int(point["step"]) for point in points), default=0)
    width = max(1, ceil(last / BINS))
    bins: defaultdict[int, list[Point]] = defaultdict(list)
    for point in points:
        step = int(point["step"])
        bins[(step - 1) // width].append((step, float(point["loss"])))
    return [
        (fmean(step for step, _ in members), fmean(loss for _, loss in members))
        for _, members in sorted(bins.items())
    ]
