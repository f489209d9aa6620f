from pathlib import Path

import click

from feedback_lens.benchmarks.cells import list_models, read_answers
from feedback_lens.benchmarks.judging import JUDGMENTS, judge_answers
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.options import list_option, option, path_option
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
@path_option("--judgments")
@path_option("--counts")
@option("--structured/--no-structured")
@policy_options
def main(
    answers: Path,
    bases: tuple[str, ...],
    corpora: tuple[str, ...],
    recipes: tuple[str, ...],
    seeds: tuple[int, ...],
    questions: Path,
    judge: str,
    prompt: Path,
    judgments: Path,
    counts: Path,
    policy: AskPolicy,
    structured: bool,
) -> None:
    """Judge every model's answers to one benchmark."""
    models = list_models(bases, corpora, recipes, seeds)
    rows, totals = judge_answers(
        answers=read_answers(answers, models, questions.name),
        questions=read_questions(questions),
        judge=judge,
        template=prompt,
        policy=policy,
        structured=structured,
    )
    write_rows(rows, judgments, JUDGMENTS)
    write_json(totals, counts)


if __name__ == "__main__":
    main()
