from pathlib import Path

import click

from feedback_lens.feedback.gold.reading import read_gold_set
from feedback_lens.feedback.gold.sets import GOLD_LABELS, GOLD_TURNS, SETTINGS
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.logs.formats import FORMATS
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--path")
@option("--format", "log_format", type=click.Choice(list(FORMATS)))
@path_option("--labels")
@option("--setting", type=click.Choice(SETTINGS))
@click.option("--source", type=click.Choice(["lmsys", "wildchat"]))
@option("--gold_set")
@path_option("--conversations")
@path_option("--label_table")
@path_option("--turns")
@path_option("--metrics")
def main(
    path: Path,
    log_format: str,
    labels: Path,
    setting: str,
    source: str | None,
    gold_set: str,
    conversations: Path,
    label_table: Path,
    turns: Path,
    metrics: Path,
) -> None:
    """Read the conversations that were annotated, and their labels, as detectors see them."""
    annotated, counts = read_gold_set(path, log_format, labels, setting, source, gold_set)
    write_rows((c.as_row() for c in annotated.list_inputs()), conversations, CONVERSATIONS)
    write_rows(annotated.list_labels(), label_table, GOLD_LABELS)
    write_rows(annotated.list_turns(), turns, GOLD_TURNS)
    write_json(counts, metrics)


if __name__ == "__main__":
    main()
