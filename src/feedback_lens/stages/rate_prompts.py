from pathlib import Path

import click

from feedback_lens.analysis.prompt_sets import list_split_prompts
from feedback_lens.analysis.quality import RATINGS, rate_prompts, summarize_quality
from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.options import option, path_option
from feedback_lens.tables import read_rows, write_json, write_rows


@click.command()
@path_option("--splits")
@path_option("--prompts")
@path_option("--ratings")
@path_option("--counts")
@path_option("--metrics")
@option("--rater")
@option("--structured/--no-structured")
@policy_options
def main(
    splits: Path,
    prompts: Path,
    ratings: Path,
    counts: Path,
    metrics: Path,
    rater: str,
    policy: AskPolicy,
    structured: bool,
) -> None:
    """Rate the quality of the prompts in the splits of a corpus."""
    rows, totals = rate_prompts(
        prompts=list_split_prompts(read_rows(splits)),
        rater=rater,
        templates=prompts,
        policy=policy,
        structured=structured,
    )
    write_rows(rows, ratings, RATINGS)
    write_json(totals, counts)
    write_json({"rater": rater, **summarize_quality(rows)}, metrics)


if __name__ == "__main__":
    main()
