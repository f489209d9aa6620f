from pathlib import Path

import click

from feedback_lens.analysis.comparison import WIN_RATE_POINTS, compare_replies, list_win_rates
from feedback_lens.analysis.plots import write_points
from feedback_lens.options import option, path_option
from feedback_lens.tables import read_rows, write_json


@click.command()
@path_option("--scores")
@path_option("--metrics")
@path_option("--plot")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
def main(scores: Path, metrics: Path, plot: Path, resamples: int, seed: int) -> None:
    """Compare original and regenerated replies by the reward model's scores."""
    compared = compare_replies(read_rows(scores), resamples=resamples, seed=seed)
    write_json(compared, metrics)
    write_points(list_win_rates(compared), plot, WIN_RATE_POINTS)


if __name__ == "__main__":
    main()
