from pathlib import Path
from typing import Any

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.benchmarks.cells import Cells, read_judgments
from feedback_lens.benchmarks.summary import SCORE_POINTS, list_scores, summarize
from feedback_lens.benchmarks.training_summary import read_cards, summarize_training
from feedback_lens.options import list_option, path_option
from feedback_lens.tables import write_json


@click.command()
@path_option("--judgments")
@path_option("--cards")
@list_option("--bases", required=True)
@list_option("--corpora", required=True)
@list_option("--recipes", required=True)
@list_option("--seeds", type=int, required=True)
@list_option("--benchmarks", required=True)
@list_option("--judges", required=True)
@path_option("--metrics")
@path_option("--training_metrics")
@path_option("--plot")
def main(
    judgments: Path, cards: Path, metrics: Path, training_metrics: Path, plot: Path, **axes: Any
) -> None:
    """Summarize the judged scores of every recipe over its seeds."""
    cells = Cells(**axes)
    tables = read_judgments(judgments, cells)
    write_json(summarize(tables, cells), metrics)
    write_json(summarize_training(read_cards(cards, cells)), training_metrics)
    write_points(list_scores(tables, cells), plot, SCORE_POINTS)


if __name__ == "__main__":
    main()
