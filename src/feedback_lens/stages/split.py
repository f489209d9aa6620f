from pathlib import Path

import click

from feedback_lens.logs.conversation import read_conversations
from feedback_lens.options import Nullable, option, path_option
from feedback_lens.tables import stream_rows, write_json, write_rows
from feedback_lens.training.splits import SPLITS, count_splits, pair_with_labels, split_by_feedback


@click.command()
@path_option("--conversations")
@path_option("--labels")
@path_option("--splits")
@path_option("--metrics")
@option("--negative", type=click.IntRange(0))
@option("--positive", type=click.IntRange(0))
@option("--random", "rand", type=click.IntRange(0))
@option("--salt")
@option("--disjoint/--no-disjoint")
@option("--earlier_turns", type=Nullable(click.IntRange(0)))
def main(
    conversations: Path,
    labels: Path,
    splits: Path,
    metrics: Path,
    negative: int,
    positive: int,
    rand: int,
    salt: str,
    disjoint: bool,
    earlier_turns: int | None,
) -> None:
    """Draw D_neg, D_pos and D_rand, at most one sub-conversation a conversation and split."""
    rows = split_by_feedback(
        pair_with_labels(read_conversations(conversations), stream_rows(labels)),
        sizes={"neg": negative, "pos": positive, "rand": rand},
        salt=salt,
        disjoint=disjoint,
        earlier_turns=earlier_turns,
    )
    write_rows(rows, splits, SPLITS)
    write_json(count_splits(rows), metrics)


if __name__ == "__main__":
    main()
