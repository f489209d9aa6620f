from pathlib import Path
from typing import Any

import click

from feedback_lens.benchmarks.cells import Cells, read_judgments
from feedback_lens.benchmarks.statistics import compare_recipes
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import write_json


@click.command()
@path_option("--judgments")
@list_option("--bases", required=True)
@list_option("--corpora", required=True)
@list_option("--recipes", required=True)
@list_option("--seeds", type=int, required=True)
@list_option("--benchmarks", required=True)
@list_option("--judges", required=True)
@path_option("--metrics")
@option("--reference")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
def main(
    judgments: Path, metrics: Path, reference: str, resamples: int, seed: int, **axes: Any
) -> None:
    """Test every recipe against the reference recipe, question by question."""
    cells = Cells(**axes)
    tests = compare_recipes(
        read_judgments(judgments, cells),
        cells,
        reference=reference,
        resamples=resamples,
        seed=seed,
    )
    write_json(tests, metrics)


if __name__ == "__main__":
    main()
