from pathlib import Path

import click

from feedback_lens.benchmarks.answering import ANSWERS, answer_questions, describe_cut_offs
from feedback_lens.benchmarks.questions import describe_unknown_categories, read_questions
from feedback_lens.calls.served import ENGINES, open_model
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import write_rows


@click.command()
@path_option("--model")
@path_option("--questions")
@list_option("--benchmarks")
@path_option("--answers")
@option("--max_tokens", type=click.IntRange(1))
@option("--seed", type=int)
@option("--engine", type=click.Choice(ENGINES))
def main(
    model: Path,
    questions: Path,
    benchmarks: tuple[str, ...],
    answers: Path,
    max_tokens: int,
    seed: int,
    engine: str,
) -> None:
    """Let one model answer the benchmarks."""
    asked = {name: read_questions(questions / name) for name in benchmarks}
    for name, members in asked.items():
        if line := describe_unknown_categories(name, members):
            click.echo(f"answer: {line}", err=True)
    with open_model("answer", model, engine) as assistant:
        for name, members in asked.items():
            rows = answer_questions(members, assistant, max_tokens, seed)
            write_rows(rows, answers / f"{name}.parquet", ANSWERS)
            if line := describe_cut_offs(name, rows, max_tokens):
                click.echo(f"answer: {line}", err=True)


if __name__ == "__main__":
    main()
