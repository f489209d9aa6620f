from pathlib import Path

import click

from feedback_lens.analysis.prompt_sets import list_split_prompts
from feedback_lens.analysis.quality import RATINGS, rate_prompts, summarize_quality
from feedback_lens.calls.request import Sampling
from feedback_lens.options import MAX_TOKENS, TEMPERATURE, option, path_option
from feedback_lens.tables import read_rows, write_json, write_rows


@click.command()
@path_option("--splits")
@path_option("--prompts")
@path_option("--assistant")
@path_option("--ratings")
@path_option("--metrics")
@option("--rater")
@option("--model")
@option("--temperature", type=TEMPERATURE)
@option("--max_tokens", type=MAX_TOKENS)
def main(
    splits: Path,
    prompts: Path,
    assistant: Path,
    ratings: Path,
    metrics: Path,
    rater: str,
    model: str,
    temperature: float | None,
    max_tokens: int | None,
) -> None:
    """Rate the quality of the prompts in the splits of a corpus."""
    rows = rate_prompts(
        prompts=list_split_prompts(read_rows(splits)),
        rater=rater,
        templates=prompts,
        model=model,
        source=assistant,
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens),
    )
    write_rows(rows, ratings, RATINGS)
    write_json({"rater": rater, **summarize_quality(rows)}, metrics)


if __name__ == "__main__":
    main()
