"""Figures 3 and 4: box plots of toxicity and of the criteria met; the criteria one by one."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.report.inputs import Inputs, Points
from feedback_lens.report.plots.boxes import draw_boxes
from feedback_lens.report.plots.charts import Chart, draw_points
from feedback_lens.report.plots.series import SPLITS
from feedback_lens.report.plots.svg import Mark


def list_prompt_charts(inputs: Inputs) -> list[Chart]:
    """Toxicity and criteria met of all corpora, and each corpus' criteria."""
    toxicity, quality = inputs.points["toxicity"], inputs.points["quality"]
    return [
        draw_boxes(
            "Toxicity of the prompts (score 0 to 1)",
            list(_group(toxicity, "toxicity")),
            tuple(SPLITS.items()),
            ends=(0.0, 1.0),
        ),
        draw_boxes(
            "Criteria of quality that a prompt meets (0 to 7)",
            list(_group(quality, "criteria_met")),
            tuple(SPLITS.items()),
            ends=(0.0, float(len(CRITERIA))),
        ),
        *_draw_criteria(inputs.metrics["rate_prompts"]),
    ]


def _group(points: Mapping[str, Points], column: str) -> Iterator[tuple[str, str, list[float]]]:
    for corpus, rows in points.items():
        for split in SPLITS:
            values = [float(row[column]) for row in rows if row["split"] == split]
            yield f"{corpus}, {split} (n = {len(values)})", split, values


def _draw_criteria(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[Chart]:
    for corpus, found in metrics.items():
        splits = [split for split in SPLITS if split in found]
        rows = [
            (name.replace("_", " "), list(_mark_shares(found, splits, name)))
            for name in (*CRITERIA, "mean")
        ]
        title = f"Quality of the prompts, {corpus} (share that meets the criterion, 95% interval)"
        yield draw_points(title, rows, [(split, SPLITS[split]) for split in splits], lines=(0.0,))


def _mark_shares(found: Mapping[str, Any], splits: Iterable[str], name: str) -> Iterator[Mark]:
    for split in splits:
        interval = found[split]["intervals"][name]
        yield Mark(split, found[split][name], interval["low"], interval["high"])
