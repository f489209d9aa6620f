from pathlib import Path

import click

from feedback_lens.benchmarks.answering import ANSWERS, answer_questions
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.calls.local import open_local_assistant
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import write_rows


@click.command()
@path_option("--model")
@path_option("--questions")
@list_option("--benchmarks")
@path_option("--answers")
@option("--max_tokens", type=click.IntRange(1))
@option("--seed", type=int)
def main(
    model: Path,
    questions: Path,
    benchmarks: tuple[str, ...],
    answers: Path,
    max_tokens: int,
    seed: int,
) -> None:
    """Let one model answer the benchmarks."""
    assistant = open_local_assistant("answer", model)
    for name in benchmarks:
        rows = answer_questions(read_questions(questions / name), assistant, max_tokens, seed)
        write_rows(rows, answers / f"{name}.parquet", ANSWERS)


if __name__ == "__main__":
    main()
