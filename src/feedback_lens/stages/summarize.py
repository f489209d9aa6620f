from pathlib import Path

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.benchmarks.cells import read_judgments
from feedback_lens.benchmarks.score_details import describe
from feedback_lens.benchmarks.summary import SCORE_POINTS, list_scores, summarize
from feedback_lens.benchmarks.training_summary import (
    LOSS_POINTS,
    list_losses,
    read_cards,
    summarize_training,
)
from feedback_lens.options import path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json


@click.command()
@path_option("--params")
@path_option("--judgments")
@path_option("--cards")
@path_option("--metrics")
@path_option("--scores")
@path_option("--training_metrics")
@path_option("--plot")
@path_option("--loss_plot")
def main(
    params: Path,
    judgments: Path,
    cards: Path,
    metrics: Path,
    scores: Path,
    training_metrics: Path,
    plot: Path,
    loss_plot: Path,
) -> None:
    """Summarize the judged scores of every recipe over its seeds, and its training."""
    axes = read_axes(params)
    judged, trained = read_judgments(judgments, axes), read_cards(cards, axes)
    write_json(summarize(judged), metrics)
    write_json(describe(judged), scores)
    write_json(summarize_training(trained), training_metrics)
    write_points(list_scores(judged), plot, SCORE_POINTS)
    write_points(list_losses(trained), loss_plot, LOSS_POINTS)


if __name__ == "__main__":
    main()
