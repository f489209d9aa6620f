from pathlib import Path

import click

from feedback_lens.analysis.comparison import compare_replies
from feedback_lens.options import option, path_option
from feedback_lens.tables import read_rows, write_json


@click.command()
@path_option("--scores")
@path_option("--metrics")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
def main(scores: Path, metrics: Path, resamples: int, seed: int) -> None:
    """Compare original and regenerated replies by the reward model's scores."""
    write_json(compare_replies(read_rows(scores), resamples=resamples, seed=seed), metrics)


if __name__ == "__main__":
    main()
