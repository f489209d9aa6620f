from pathlib import Path

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.analysis.refusal_rates import RATE_POINTS, count_refusals, list_rates
from feedback_lens.analysis.refusals import (
    REFUSAL_CLUSTERS,
    REFUSALS,
    RefusalRule,
    find_refusals,
)
from feedback_lens.analysis.split_rows import read_first_rows, rows_option
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--splits")
@rows_option
@path_option("--refusals")
@path_option("--clusters_table")
@path_option("--metrics")
@path_option("--plot")
@option("--opening", type=click.IntRange(1))
@option("--clusters", type=click.IntRange(1))
@option("--stretch", type=click.FloatRange(0))
@option("--threshold", type=click.FloatRange(0, 1))
@option("--seed", type=int)
@option("--shown", type=click.IntRange(1))
def main(
    splits: Path,
    rows_per_split: int | None,
    refusals: Path,
    clusters_table: Path,
    metrics: Path,
    plot: Path,
    opening: int,
    clusters: int,
    stretch: float,
    threshold: float,
    seed: int,
    shown: int,
) -> None:
    """Find the replies that refuse, by clusters of their embeddings."""
    rule = RefusalRule(opening, clusters, stretch, threshold, seed)
    rows, found = find_refusals(read_first_rows(splits, rows_per_split), rule, shown)
    counts = count_refusals(rows)
    write_rows(rows, refusals, REFUSALS)
    write_rows(found, clusters_table, REFUSAL_CLUSTERS)
    write_json(counts, metrics)
    write_points(list_rates(counts), plot, RATE_POINTS)


if __name__ == "__main__":
    main()
