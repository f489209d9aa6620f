from functools import partial
from pathlib import Path

import click

from feedback_lens.options import option, path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import read_rows, write_json, write_rows
from feedback_lens.training.exclusions import AssemblyRules
from feedback_lens.training.recipes import TRAINING_SET, assemble

COLUMNS = ["split", "conversation_id", "turn", "prompt", "reply", "earlier"]


@click.command()
@path_option("--splits")
@path_option("--replies")
@path_option("--leakage")
@path_option("--params")
@path_option("--training_sets")
@path_option("--metrics")
@option("--held_out_share", type=click.FloatRange(0, 1))
@option("--drop_refusals/--no-drop_refusals")
@option("--refusal_opening", type=click.IntRange(1))
@option("--drop_leaked/--no-drop_leaked")
def main(
    splits: Path,
    replies: Path,
    leakage: Path,
    params: Path,
    training_sets: Path,
    metrics: Path,
    held_out_share: float,
    drop_refusals: bool,
    refusal_opening: int,
    drop_leaked: bool,
) -> None:
    """Make the training set of each recipe from the splits and regenerations of a corpus."""
    axes = read_axes(params)
    make = partial(
        assemble,
        splits=read_rows(splits, COLUMNS, "`dvc repro split` makes it again"),
        replies={n: read_rows(replies / f"{n}.parquet") for n in axes.regenerations},
        leakage=read_rows(leakage),
        rules=AssemblyRules(held_out_share, drop_refusals, refusal_opening, drop_leaked),
    )
    counts = {}
    for recipe in axes.recipes:
        rows, counts[recipe] = make(recipe)
        write_rows(rows, training_sets / f"{recipe}.parquet", TRAINING_SET)
    write_json(counts, metrics)


if __name__ == "__main__":
    main()
