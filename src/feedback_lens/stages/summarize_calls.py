from pathlib import Path

import click

from feedback_lens.calls.catalog import read_prices
from feedback_lens.calls.usage import read_counts, summarize_usage
from feedback_lens.options import path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json


@click.command()
@path_option("--data")
@path_option("--params")
@path_option("--catalog")
@path_option("--metrics")
def main(data: Path, params: Path, catalog: Path, metrics: Path) -> None:
    """Sum up what the model calls of each stage came to."""
    counts = read_counts(data, read_axes(params))
    write_json(summarize_usage(counts, read_prices(catalog)), metrics)


if __name__ == "__main__":
    main()
