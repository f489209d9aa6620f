from pathlib import Path

import click

from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import read_rows, write_rows
from feedback_lens.training.recipes import TRAINING_SET, assemble


@click.command()
@path_option("--splits")
@path_option("--replies")
@list_option("--regenerations")
@option("--recipe")
@path_option("--training_set")
@option("--held_out_share", type=click.FloatRange(0, 1))
def main(
    splits: Path,
    replies: Path,
    regenerations: tuple[str, ...],
    recipe: str,
    training_set: Path,
    held_out_share: float,
) -> None:
    """Make the training set of one recipe from the splits and regenerations of a corpus."""
    rows = assemble(
        recipe=recipe,
        splits=read_rows(splits),
        replies={name: read_rows(replies / f"{name}.parquet") for name in regenerations},
        held_out_share=held_out_share,
    )
    write_rows(rows, training_set, TRAINING_SET)


if __name__ == "__main__":
    main()
