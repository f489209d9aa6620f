"""What training is about: win rates of the replies (Tables 3, 13) and scores (Table 4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback_lens.report.charts import Chart, draw_points
from feedback_lens.report.inputs import Inputs
from feedback_lens.report.series import number_series
from feedback_lens.report.svg import Mark

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
    untrained = scores["base"]["mean"]
    lines = () if untrained is None else (untrained,)
    rows = [("untrained", [Mark("untrained", untrained)])]
    for style, corpus in series:
        rows += [
            (recipe, [_mark_score(style, summary)]) for recipe, summary in scores[corpus].items()
        ]
    return draw_points(f"Scores of {what} (mean ± spread over seeds)", rows, series, lines=lines)


def _mark_score(series: str, summary: Mapping[str, Any]) -> Mark:
    mean, spread = summary["mean"], summary["spread"]
    if mean is None or spread is None:
        return Mark(series, mean)
    return Mark(series, mean, mean - spread, mean + spread)
