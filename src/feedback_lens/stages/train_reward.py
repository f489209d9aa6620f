from pathlib import Path
from typing import Any

import click

from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import read_rows
from feedback_lens.training.tiny_reward import RewardSettings, pair_replies, train_reward


@click.command()
@list_option("--splits", type=Path)
@list_option("--corpora")
@path_option("--replies_folder")
@list_option("--regenerations")
@path_option("--base")
@path_option("--model")
@option("--epochs", type=click.IntRange(1))
@option("--batch", type=click.IntRange(1))
@option("--learning_rate", type=click.FloatRange(0, min_open=True))
@option("--max_length", type=click.IntRange(2))
@option("--held_out_share", type=click.FloatRange(0, 1, max_open=True))
@option("--seed", type=int)
def main(
    splits: tuple[Path, ...],
    corpora: tuple[str, ...],
    replies_folder: Path,
    regenerations: tuple[str, ...],
    base: Path,
    model: Path,
    **settings: Any,
) -> None:
    """Train the sample's tiny reward model to prefer regenerated replies to the weak ones."""
    folders = [replies_folder / corpus for corpus in corpora]
    pairs = [
        pair
        for path, folder in zip(splits, folders, strict=True)
        for pair in pair_replies(
            read_rows(path), {name: read_rows(folder / f"{name}.parquet") for name in regenerations}
        )
    ]
    train_reward(pairs, base_model=base, settings=RewardSettings(**settings), folder=model)


if __name__ == "__main__":
    main()
