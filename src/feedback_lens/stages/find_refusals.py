from pathlib import Path

import click

from feedback_lens.analysis.refusals import REFUSALS, count_refusals, find_refusals
from feedback_lens.options import option, path_option
from feedback_lens.tables import read_rows, write_json, write_rows


@click.command()
@path_option("--splits")
@path_option("--refusals")
@path_option("--metrics")
@option("--clusters", type=click.IntRange(1))
@option("--threshold", type=click.FloatRange(-1, 1))
@option("--seed", type=int)
def main(
    splits: Path, refusals: Path, metrics: Path, clusters: int, threshold: float, seed: int
) -> None:
    """Find the replies that refuse, by clusters of their embeddings."""
    rows = find_refusals(read_rows(splits), clusters, threshold, seed)
    write_rows(rows, refusals, REFUSALS)
    write_json(count_refusals(rows), metrics)


if __name__ == "__main__":
    main()
