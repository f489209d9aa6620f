from pathlib import Path

import click

from feedback_lens.analysis.prompt_sets import read_prompt_set
from feedback_lens.analysis.quality import RATINGS, Rating, rate_prompts
from feedback_lens.analysis.quality_summary import summarize_quality
from feedback_lens.analysis.rating_options import rating_options
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@option("--prompt_set")
@path_option("--path")
@option("--format", "prompt_format")
@path_option("--ratings")
@path_option("--counts")
@path_option("--metrics")
@rating_options
def main(
    prompt_set: str,
    path: Path,
    prompt_format: str,
    ratings: Path,
    counts: Path,
    metrics: Path,
    rating: Rating,
    resamples: int,
    seed: int,
) -> None:
    """Rate the quality of any prompts, such as a benchmark's questions."""
    rows, totals = rate_prompts(read_prompt_set(prompt_set, path, prompt_format), rating)
    write_rows(rows, ratings, RATINGS)
    write_json(totals, counts)
    write_json({**rating.describe(), **summarize_quality(rows, resamples, seed)}, metrics)


if __name__ == "__main__":
    main()
