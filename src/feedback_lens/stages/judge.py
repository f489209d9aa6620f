from pathlib import Path

import click

from feedback_lens.benchmarks.cells import list_models, read_answers
from feedback_lens.benchmarks.judging import JUDGMENTS, judge_answers
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
@path_option("--answers")
@list_option("--bases")
@list_option("--corpora")
@list_option("--recipes")
@list_option("--seeds", type=int)
@path_option("--questions")
@option("--judge")
@path_option("--prompt")
@path_option("--assistant")
@path_option("--judgments")
@path_option("--counts")
@option("--model")
@option("--temperature", type=TEMPERATURE)
@option("--max_tokens", type=MAX_TOKENS)
@option("--reasoning_effort", type=REASONING_EFFORT)
@option("--reasks", type=click.IntRange(0))
@option("--structured/--no-structured")
def main(
    answers: Path,
    bases: tuple[str, ...],
    corpora: tuple[str, ...],
    recipes: tuple[str, ...],
    seeds: tuple[int, ...],
    questions: Path,
    judge: str,
    prompt: Path,
    assistant: Path,
    judgments: Path,
    counts: Path,
    model: str,
    temperature: float | None,
    max_tokens: int | None,
    reasoning_effort: str | None,
    reasks: int,
    structured: bool,
) -> None:
    """Judge every model's answers to one benchmark."""
    sampling = Sampling(temperature, max_tokens=max_tokens, reasoning_effort=reasoning_effort)
    models = list_models(bases, corpora, recipes, seeds)
    rows, totals = judge_answers(
        answers=read_answers(answers, models, questions.name),
        questions=read_questions(questions),
        judge=judge,
        template=prompt,
        policy=AskPolicy(model, assistant, sampling, reasks),
        structured=structured,
    )
    write_rows(rows, judgments, JUDGMENTS)
    write_json(totals, counts)


if __name__ == "__main__":
    main()
