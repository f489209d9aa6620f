from pathlib import Path

import click

from feedback_lens.analysis.prompt_sets import list_benchmark_prompts
from feedback_lens.analysis.quality import RATINGS, rate_prompts, summarize_quality
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.options import (
    MAX_TOKENS,
    REASONING_EFFORT,
    TEMPERATURE,
    list_option,
    option,
    path_option,
)
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--questions")
@list_option("--benchmarks")
@path_option("--prompts")
@path_option("--assistant")
@path_option("--ratings")
@path_option("--counts")
@path_option("--metrics")
@option("--rater")
@option("--model")
@option("--temperature", type=TEMPERATURE)
@option("--max_tokens", type=MAX_TOKENS)
@option("--reasoning_effort", type=REASONING_EFFORT)
@option("--reasks", type=click.IntRange(0))
@option("--structured/--no-structured")
def main(
    questions: Path,
    benchmarks: tuple[str, ...],
    prompts: Path,
    assistant: Path,
    ratings: Path,
    counts: Path,
    metrics: Path,
    rater: str,
    model: str,
    temperature: float | None,
    max_tokens: int | None,
    reasoning_effort: str | None,
    reasks: int,
    structured: bool,
) -> None:
    """Rate the quality of the benchmarks' questions."""
    sampling = Sampling(temperature, max_tokens=max_tokens, reasoning_effort=reasoning_effort)
    rows, totals = rate_prompts(
        prompts=[
            prompt
            for name in benchmarks
            for prompt in list_benchmark_prompts(name, read_questions(questions / name))
        ],
        rater=rater,
        templates=prompts,
        policy=AskPolicy(model, assistant, sampling, reasks),
        structured=structured,
    )
    write_rows(rows, ratings, RATINGS)
    write_json(totals, counts)
    write_json({"rater": rater, **summarize_quality(rows)}, metrics)


if __name__ == "__main__":
    main()
