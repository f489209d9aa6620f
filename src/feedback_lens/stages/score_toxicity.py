from datetime import date
from pathlib import Path

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.analysis.split_rows import read_first_rows, rows_option
from feedback_lens.analysis.toxicity import PLOT_COLUMNS, TOXICITY, list_points, score_toxicity
from feedback_lens.analysis.toxicity_summary import summarize_toxicity
from feedback_lens.moderation.scorers import ScoringPolicy, scoring_options
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--splits")
@rows_option
@path_option("--assistant")
@path_option("--toxicity")
@path_option("--counts")
@path_option("--metrics")
@path_option("--plot")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
@scoring_options
def main(
    splits: Path,
    rows_per_split: int | None,
    assistant: Path,
    toxicity: Path,
    counts: Path,
    metrics: Path,
    plot: Path,
    policy: ScoringPolicy,
    resamples: int,
    seed: int,
) -> None:
    """Score the toxicity of the prompts that drew negative, positive and any feedback."""
    rows, totals = score_toxicity(
        rows=read_first_rows(splits, rows_per_split),
        policy=policy,
        recorded=assistant,
        today=date.today(),
    )
    write_rows(rows, toxicity, TOXICITY)
    write_json(totals, counts)
    write_points(list_points(rows), plot, PLOT_COLUMNS)
    summary = summarize_toxicity(rows, resamples, seed)
    write_json({"scorer": policy.scorer, "model": totals["model"], **summary}, metrics)


if __name__ == "__main__":
    main()
