"""Which charts the report shows."""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from feedback_lens.feedback.evaluation import UNLABELED
from feedback_lens.feedback.labels import DESCRIPTIONS, FINE
from feedback_lens.report.charts import Chart, draw_matrix, draw_points, draw_stacks
from feedback_lens.report.inputs import QUALITY_COLUMNS, Inputs, count_labeled
from feedback_lens.report.svg import Mark

COLORS = 4  # of style.css; a fifth series shares the first one's
SPLITS = {"neg": "drew negative feedback", "rand": "random", "pos": "drew positive feedback"}
LABELS = {label: f"{label} {description}" for label, description in DESCRIPTIONS.items()}
SETTINGS = {"with_feedback": "with the feedback in view", "without_feedback": "without it"}


def list_charts(inputs: Inputs) -> list[Chart]:
    """All charts, in the order of the page."""
    return [
        *_draw_turns(inputs),
        _draw_labels(inputs),
        *_draw_confusions(inputs),
        _draw_toxicity(inputs),
        *_draw_quality(inputs),
        *_draw_win_rates(inputs),
        *_draw_scores(inputs),
    ]


def _draw_turns(inputs: Inputs) -> list[Chart]:
    charts = []
    for corpus, points in inputs.distributions.items():
        rows = []
        for turn, members in groupby(points, key=lambda point: point["turn"]):
            cells = list(members)
            total = sum(int(cell["count"]) for cell in cells)
            shares = {cell["label"]: float(cell["share"] or 0) for cell in cells}
            rows.append((f"turn {turn}", f"n = {total}", shares))
        title = f"Labels by user turn, {corpus} (share of the labeled turns)"
        charts.append(draw_stacks(title, rows, tuple(LABELS.items())))
    return charts


def _draw_labels(inputs: Inputs) -> Chart:
    counts = inputs.metrics["count_feedback"]
    series = number_series(inputs.run.corpora)
    rows = [
        (
            label,
            [
                Mark(name, share, low=0.0, high=share)
                for name, corpus in series
                if (share := counts[corpus]["by_label"][label]["share"]) is not None
            ],
        )
        for label in FINE
    ]
    legend = [(name, f"{corpus} (n = {count_labeled(counts[corpus])})") for name, corpus in series]
    return draw_points("Labels in all (share of the labeled turns)", rows, legend, lines=(0.0,))


def _draw_confusions(inputs: Inputs) -> list[Chart]:
    detector = inputs.run.detector
    charts = []
    for name, points in inputs.confusions.items():
        counts = Counter(
            (point["actual"], point["predicted"])
            for point in points
            if point["detector"] == detector
        )
        unlabeled = any(column == UNLABELED for _, column in counts)
        columns = (*FINE, UNLABELED) if unlabeled else FINE
        title = f"Gold labels against the {detector} detector's, {name} (turns)"
        charts.append(draw_matrix(title, FINE, columns, counts))
    return charts


def _draw_toxicity(inputs: Inputs) -> Chart:
    rows = []
    for corpus, metrics in inputs.metrics["score_toxicity"].items():
        for split in SPLITS:
            box = metrics[split]
            mark = Mark(split, box["mean"], q1=box["q1"], q3=box["q3"])
            rows.append((f"{corpus}, {split} (n = {box['n']})", [mark]))
    title = "Toxicity of the prompts (score 0 to 1; point: mean, box: quartiles)"
    return draw_points(title, rows, tuple(SPLITS.items()), lines=(0.0,))


def _draw_quality(inputs: Inputs) -> list[Chart]:
    charts = []
    for corpus, metrics in inputs.metrics["rate_prompts"].items():
        splits = [split for split in SPLITS if split in metrics]
        rows = [
            (name.replace("_", " "), [Mark(split, metrics[split][name]) for split in splits])
            for name in QUALITY_COLUMNS
        ]
        title = f"Quality of the prompts, {corpus} (share that meets the criterion)"
        legend = [(split, SPLITS[split]) for split in splits]
        charts.append(draw_points(title, rows, legend, lines=(0.0,)))
    return charts


def _draw_win_rates(inputs: Inputs) -> list[Chart]:
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


def _draw_scores(inputs: Inputs) -> list[Chart]:
    series = number_series(inputs.run.corpora)
    charts = []
    for benchmark, judges in inputs.metrics["summary"].items():
        for judge, bases in judges.items():
            for base, scores in bases.items():
                untrained = scores["base"]["mean"]
                lines = () if untrained is None else (untrained,)
                rows = [("untrained", [Mark("untrained", untrained)])]
                for name, corpus in series:
                    rows += [
                        (recipe, [_mark_score(name, summary)])
                        for recipe, summary in scores[corpus].items()
                    ]
                title = f"Scores of {base}, {benchmark}, {judge} judge (mean ± spread over seeds)"
                charts.append(draw_points(title, rows, series, lines=lines))
    return charts


def _mark_score(series: str, summary: Mapping[str, Any]) -> Mark:
    mean, spread = summary["mean"], summary["spread"]
    if mean is None or spread is None:
        return Mark(series, mean)
    return Mark(series, mean, mean - spread, mean + spread)


def number_series(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of a series' class and its name."""
    return [(f"series-{index % COLORS}", name) for index, name in enumerate(names)]
