from pathlib import Path

import click

from feedback_lens.analysis.prompt_sets import list_benchmark_prompts
from feedback_lens.analysis.quality import RATINGS, rate_prompts, summarize_quality
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--questions")
@list_option("--benchmarks")
@path_option("--prompts")
@path_option("--ratings")
@path_option("--counts")
@path_option("--metrics")
@option("--rater")
@option("--structured/--no-structured")
@policy_options
def main(
    questions: Path,
    benchmarks: tuple[str, ...],
    prompts: Path,
    ratings: Path,
    counts: Path,
    metrics: Path,
    rater: str,
    policy: AskPolicy,
    structured: bool,
) -> None:
    """Rate the quality of the benchmarks' questions."""
    rows, totals = rate_prompts(
        prompts=[
            prompt
            for name in benchmarks
            for prompt in list_benchmark_prompts(name, read_questions(questions / name))
        ],
        rater=rater,
        templates=prompts,
        policy=policy,
        structured=structured,
    )
    write_rows(rows, ratings, RATINGS)
    write_json(totals, counts)
    write_json({"rater": rater, **summarize_quality(rows)}, metrics)


if __name__ == "__main__":
    main()
