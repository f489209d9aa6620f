from pathlib import Path
from typing import Any

import click

from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import read_rows, write_json
from feedback_lens.training.tiny_reward import RewardSettings, pair_replies, train_reward

CARD_METRICS = (
    "pairs",
    "conversations",
    "held_out_accuracy",
    "held_out_low",
    "held_out_high",
    "held_out_right",
    "held_out_wrong",
    "held_out_p",
    "train_accuracy",
)


@click.command()
@path_option("--splits")
@path_option("--replies")
@list_option("--corpora")
@list_option("--regenerations")
@path_option("--base")
@path_option("--model")
@path_option("--metrics")
@option("--epochs", type=click.IntRange(1))
@option("--batch", type=click.IntRange(1))
@option("--learning_rate", type=click.FloatRange(0, min_open=True))
@option("--max_length", type=click.IntRange(2))
@option("--folds", type=click.IntRange(2))
@option("--seed", type=int)
def main(
    splits: Path,
    replies: Path,
    corpora: tuple[str, ...],
    regenerations: tuple[str, ...],
    base: Path,
    model: Path,
    metrics: Path,
    **settings: Any,
) -> None:
    """Train the sample's tiny reward model to prefer regenerated replies to the weak ones."""
    pairs = [
        pair
        for corpus in corpora
        for pair in pair_replies(
            read_rows(splits / f"{corpus}.parquet"),
            {name: read_rows(replies / corpus / f"{name}.parquet") for name in regenerations},
        )
    ]
    card = train_reward(pairs, base, RewardSettings(**settings), folder=model)
    write_json({name: card[name] for name in CARD_METRICS}, metrics)


if __name__ == "__main__":
    main()
