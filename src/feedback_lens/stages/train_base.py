from pathlib import Path
from typing import Any

import click

from feedback_lens.logs.samples import read_samples
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json
from feedback_lens.training.tiny import BaseSettings, train_base

CARD_METRICS = ("conversations", "tokens", "bits_per_character", "weights")


@click.command()
@path_option("--samples")
@option("--base")
@path_option("--model")
@path_option("--metrics")
@option("--vocabulary", type=click.IntRange(261))  # 256 bytes, 4 special tokens and a merge
@option("--width", type=click.IntRange(2))
@option("--layers", type=click.IntRange(1))
@option("--heads", type=click.IntRange(1))
@option("--context", type=click.IntRange(2))
@option("--steps", type=click.IntRange(1))
@option("--batch", type=click.IntRange(1))
@option("--learning_rate", type=click.FloatRange(0, min_open=True))
@option("--seed", type=int)
def main(samples: Path, base: str, model: Path, metrics: Path, **settings: Any) -> None:
    """Train the sample's tiny base model on the text of the sample logs."""
    card = train_base(
        conversations=read_samples(samples),
        name=base,
        settings=BaseSettings(**settings),
        folder=model,
    )
    write_json({name: card[name] for name in CARD_METRICS}, metrics)


if __name__ == "__main__":
    main()
