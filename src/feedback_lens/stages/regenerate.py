from pathlib import Path

import click

from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.options import option, path_option
from feedback_lens.tables import read_rows, write_json, write_rows
from feedback_lens.training.regeneration import REPLIES, regenerate_replies

COLUMNS = ["split", "conversation_id", "turn", "prompt", "reply", "feedback", "earlier"]


@click.command()
@path_option("--splits")
@option("--regeneration")
@path_option("--prompts")
@path_option("--replies")
@path_option("--counts")
@policy_options
def main(
    splits: Path,
    regeneration: str,
    prompts: Path,
    replies: Path,
    counts: Path,
    policy: AskPolicy,
) -> None:
    """Regenerate the replies of a split, from scratch or with the feedback's content."""
    rows, totals = regenerate_replies(
        rows=read_rows(splits, COLUMNS, "`dvc repro split` makes it again"),
        regeneration=regeneration,
        prompts=prompts,
        policy=policy,
    )
    write_rows(rows, replies, REPLIES)
    write_json(totals, counts)


if __name__ == "__main__":
    main()
