from pathlib import Path

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.analysis.prompt_sets import list_split_prompts
from feedback_lens.analysis.quality import RATINGS, Rating, rate_prompts
from feedback_lens.analysis.quality_summary import (
    CRITERION_POINTS,
    QUALITY_POINTS,
    compare_splits,
    list_criteria,
    list_met,
    summarize_quality,
)
from feedback_lens.analysis.rating_options import rating_options
from feedback_lens.analysis.split_rows import read_first_rows, rows_option
from feedback_lens.options import path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--splits")
@rows_option
@path_option("--ratings")
@path_option("--counts")
@path_option("--metrics")
@path_option("--plot")
@path_option("--criteria_plot")
@rating_options
def main(
    splits: Path,
    rows_per_split: int | None,
    ratings: Path,
    counts: Path,
    metrics: Path,
    plot: Path,
    criteria_plot: Path,
    rating: Rating,
    resamples: int,
    seed: int,
) -> None:
    """Rate the quality of the prompts in the splits of a corpus."""
    rows, totals = rate_prompts(list_split_prompts(read_first_rows(splits, rows_per_split)), rating)
    summary = summarize_quality(rows, resamples, seed)
    tests = compare_splits(rows, resamples, seed)
    write_rows(rows, ratings, RATINGS)
    write_json(totals, counts)
    write_json({**rating.describe(), **summary, "rank_tests": tests}, metrics)
    write_points(list_met(rows), plot, QUALITY_POINTS)
    write_points(list_criteria(summary), criteria_plot, CRITERION_POINTS)


if __name__ == "__main__":
    main()
