from pathlib import Path
from typing import Any

import click

from feedback_lens.options import option, path_option
from feedback_lens.tables import read_rows, write_json
from feedback_lens.training.checkpoints import hash_file
from feedback_lens.training.finetune import TrainingSet, finetune
from feedback_lens.training.launching import is_first_process
from feedback_lens.training.trainers import TrainSettings

COLUMNS = ["prompt", "completion", "desirable", "held_out"]
AGAIN = "`dvc repro assemble` makes it again, `feedback-lens training-set` one of your own"


@click.command()
@path_option("--training_set")
@path_option("--base_model")
@option("--recipe")
@option("--seed", type=int)
@path_option("--checkpoint")
@path_option("--card")
@option("--epochs", type=click.IntRange(1))
@option("--batch", type=click.IntRange(1))
@option("--gradient_accumulation", type=click.IntRange(1))
@option("--learning_rate", type=click.FloatRange(0, min_open=True))
@option("--kto_learning_rate", type=click.FloatRange(0, min_open=True))
@option("--beta", type=click.FloatRange(0, min_open=True))
@option("--warmup_share", type=click.FloatRange(0, 1, max_open=True))
@option("--max_length", type=click.IntRange(2))
@option("--save_every", type=click.IntRange(1))
@option("--lora_rank", type=click.IntRange(0))
@option("--lora_alpha", type=click.IntRange(1))
@option("--lora_dropout", type=click.FloatRange(0, 1, max_open=True))
@option("--keep", type=click.Choice(["float32", "bfloat16", "adapter"]))
def main(
    training_set: Path,
    base_model: Path,
    recipe: str,
    seed: int,
    checkpoint: Path,
    card: Path,
    **settings: Any,
) -> None:
    """Fine-tune a base model on one training set."""
    content = finetune(
        data=TrainingSet(read_rows(training_set, COLUMNS, AGAIN), hash_file(training_set)),
        base_model=base_model,
        recipe=recipe,
        seed=seed,
        settings=TrainSettings(**settings),
        checkpoint=checkpoint,
    )
    if is_first_process():
        write_json(content, card)


if __name__ == "__main__":
    main()
