from pathlib import Path

import click

from feedback_lens.axes import JudgeAxes
from feedback_lens.benchmarks.cells import read_answers
from feedback_lens.benchmarks.judges.judging import JUDGMENTS, Judge, judge_answers
from feedback_lens.benchmarks.judges.verdicts import check_verdicts, describe_unreferenced
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.options import list_option, option, path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--params")
@path_option("--answers")
@path_option("--questions")
@option("--judge")
@option("--method")
@path_option("--prompt")
@list_option("--benchmarks")
@list_option("--bases")
@list_option("--corpora")
@list_option("--recipes")
@path_option("--judgments")
@option("--structured/--no-structured")
@option("--repetitions", type=click.IntRange(1))
@policy_options
def main(
    params: Path,
    answers: Path,
    questions: Path,
    judge: str,
    method: str,
    prompt: Path,
    benchmarks: tuple[str, ...],
    bases: tuple[str, ...],
    corpora: tuple[str, ...],
    recipes: tuple[str, ...],
    judgments: Path,
    policy: AskPolicy,
    structured: bool,
    repetitions: int,
) -> None:
    """Let one judge rate the answers of its models to its benchmarks."""
    chosen = JudgeAxes(benchmarks, bases, corpora, recipes)
    models = [model for model in read_axes(params).models() if chosen.judges(model)]
    asked = {name: read_questions(questions / name) for name in benchmarks}
    for name, members in asked.items():
        if line := describe_unreferenced(name, members):
            click.echo(f"judge: {line}", err=True)
    tables = judge_answers(
        answers={name: read_answers(answers, models, name) for name in benchmarks},
        questions=asked,
        judge=Judge(judge, method, prompt, policy, structured, repetitions),
    )
    check_verdicts("judge", f"judges.{judge}", tables, method, prompt, policy)
    for name, (rows, counts) in tables.items():
        write_rows(rows, judgments / f"{name}.parquet", JUDGMENTS)
        write_json(counts, judgments / f"{name}.json")


if __name__ == "__main__":
    main()
