from pathlib import Path

import click

from feedback_lens.benchmarks.pairs.pairing import read_pair_judgments
from feedback_lens.benchmarks.pairs.summary import compare_answers
from feedback_lens.options import option, path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json


@click.command()
@path_option("--params")
@option("--judge")
@path_option("--judgments")
@path_option("--metrics")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
def main(
    params: Path, judge: str, judgments: Path, metrics: Path, resamples: int, seed: int
) -> None:
    """Compare the recipes' answers with those of the recipe that a judge of pairs names."""
    tables = read_pair_judgments(judgments, judge, read_axes(params))
    write_json(compare_answers(tables, resamples=resamples, seed=seed), metrics)


if __name__ == "__main__":
    main()
