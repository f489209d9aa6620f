from pathlib import Path
from typing import Any

import click

from feedback_lens.calls.catalog import read_prices
from feedback_lens.calls.usage import read_counts, summarize_usage
from feedback_lens.options import list_option, path_option
from feedback_lens.tables import write_json


@click.command()
@path_option("--labels")
@path_option("--replies")
@path_option("--ratings")
@path_option("--judgments")
@path_option("--catalog")
@list_option("--corpora", required=True)
@list_option("--detectors", required=True)
@list_option("--regenerations")
@list_option("--benchmarks", required=True)
@list_option("--judges", required=True)
@list_option("--bases", expose_value=False)  # of the section run.models: no axes of the counts
@list_option("--recipes", expose_value=False)
@list_option("--seeds", expose_value=False)
@path_option("--metrics")
def main(
    labels: Path,
    replies: Path,
    ratings: Path,
    judgments: Path,
    catalog: Path,
    metrics: Path,
    **axes: Any,
) -> None:
    """Sum up what the model calls of each stage came to."""
    counts = read_counts(labels, replies, ratings, judgments, **axes)
    write_json(summarize_usage(counts, read_prices(catalog)), metrics)


if __name__ == "__main__":
    main()
