from pathlib import Path

import click

from feedback_lens.calls.request import Sampling
from feedback_lens.options import MAX_TOKENS, TEMPERATURE, option, path_option
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
) -> None:
    """Regenerate the replies of a split, from scratch or with the feedback's content."""
    rows, totals = regenerate_replies(
        rows=read_rows(splits),
        regeneration=regeneration,
        prompts=prompts,
        model=model,
        source=assistant,
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens),
    )
    write_rows(rows, replies, REPLIES)
    write_json(totals, counts)


if __name__ == "__main__":
    main()
