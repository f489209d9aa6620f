from pathlib import Path

import click

from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.options import MAX_TOKENS, REASONING_EFFORT, TEMPERATURE, option, path_option
from feedback_lens.tables import read_rows, write_json, write_rows
from feedback_lens.training.regeneration import REPLIES, regenerate_replies


@click.command()
@path_option("--splits")
@option("--regeneration")
@path_option("--prompts")
@path_option("--assistant")
@path_option("--replies")
@path_option("--counts")
@option("--model")
@option("--temperature", type=TEMPERATURE)
@option("--max_tokens", type=MAX_TOKENS)
@option("--reasoning_effort", type=REASONING_EFFORT)
@option("--reasks", type=click.IntRange(0))
def main(
    splits: Path,
    regeneration: str,
    prompts: Path,
    assistant: Path,
    replies: Path,
    counts: Path,
    model: str,
    temperature: float | None,
    max_tokens: int | None,
    reasoning_effort: str | None,
    reasks: int,
) -> None:
    """Regenerate the replies of a split, from scratch or with the feedback's content."""
    sampling = Sampling(temperature, max_tokens=max_tokens, reasoning_effort=reasoning_effort)
    rows, totals = regenerate_replies(
        rows=read_rows(splits),
        regeneration=regeneration,
        prompts=prompts,
        policy=AskPolicy(model, assistant, sampling, reasks),
    )
    write_rows(rows, replies, REPLIES)
    write_json(totals, counts)


if __name__ == "__main__":
    main()
