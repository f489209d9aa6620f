from pathlib import Path

import click

from feedback_lens.analysis.split_rows import read_first_rows, rows_option
from feedback_lens.calls.models import read_batch_size
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import read_rows, write_rows
from feedback_lens.training.reward import SCORES, score_replies


@click.command()
@path_option("--splits")
@rows_option
@path_option("--replies")
@list_option("--regenerations")
@path_option("--reward_model")
@path_option("--scores")
@option("--max_length", type=click.IntRange(2))
def main(
    splits: Path,
    rows_per_split: int | None,
    replies: Path,
    regenerations: tuple[str, ...],
    reward_model: Path,
    scores: Path,
    max_length: int,
) -> None:
    """Score the weak and the regenerated replies, with and without the feedback in view."""
    rows = score_replies(
        rows=read_first_rows(splits, rows_per_split),
        replies={name: read_rows(replies / f"{name}.parquet") for name in regenerations},
        reward_model=reward_model,
        batch_size=read_batch_size(),
        max_length=max_length,
    )
    write_rows(rows, scores, SCORES)


if __name__ == "__main__":
    main()
