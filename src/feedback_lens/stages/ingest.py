from pathlib import Path
from typing import Any

import click

from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.logs.ingest import REJECTS, Filters, Ingest
from feedback_lens.logs.rawfiles import read_raw_rows
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--log")
@option("--format", "log_format")
@option("--corpus")
@path_option("--conversations")
@path_option("--rejects")
@path_option("--metrics")
@list_option("--languages")
@option("--min_user_turns", type=click.IntRange(1))
@option("--toxic", type=click.Choice(["keep", "drop", "only"]))
@option("--drop_redacted/--no-drop_redacted")
@option("--drop_duplicate_first_turns/--no-drop_duplicate_first_turns")
@option("--max_characters", type=click.IntRange(1))
def main(
    log: Path,
    log_format: str,
    corpus: str,
    conversations: Path,
    rejects: Path,
    metrics: Path,
    **filters: Any,
) -> None:
    """Read a raw log into the table of conversations; every row not kept has its reason."""
    ingest = Ingest(read_raw_rows(log), log_format, corpus, Filters(**filters))
    write_rows((conversation.as_row() for conversation in ingest), conversations, CONVERSATIONS)
    write_rows(ingest.rejects, rejects, REJECTS)
    write_json(ingest.counts(), metrics)
    ingest.check_kept()


if __name__ == "__main__":
    main()
