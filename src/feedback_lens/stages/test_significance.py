from pathlib import Path

import click

from feedback_lens.benchmarks.cells import read_judgments
from feedback_lens.benchmarks.statistics import compare_recipes
from feedback_lens.options import option, path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json


@click.command()
@path_option("--params")
@path_option("--judgments")
@path_option("--metrics")
@option("--reference")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
def main(
    params: Path, judgments: Path, metrics: Path, reference: str, resamples: int, seed: int
) -> None:
    """Test every recipe against the reference recipe, question by question."""
    axes = read_axes(params)
    tests = compare_recipes(
        read_judgments(judgments, axes), axes, reference=reference, resamples=resamples, seed=seed
    )
    write_json(tests, metrics)


if __name__ == "__main__":
    main()
