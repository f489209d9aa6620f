from pathlib import Path

import click

from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import read_rows, write_json, write_rows
from feedback_lens.training.leakage import LEAKAGE, count_leakage, find_leakage
from feedback_lens.training.near_duplicates import Likeness

COLUMNS = ["split", "conversation_id", "turn", "user_id", "prompt"]


@click.command()
@path_option("--splits")
@path_option("--questions")
@list_option("--benchmarks")
@path_option("--leakage")
@path_option("--metrics")
@option("--similarity", type=click.FloatRange(0, 1, min_open=True))
@option("--shingle", type=click.IntRange(1))
@option("--permutations", type=click.IntRange(2))
@option("--seed", type=int)
def main(
    splits: Path,
    questions: Path,
    benchmarks: tuple[str, ...],
    leakage: Path,
    metrics: Path,
    similarity: float,
    shingle: int,
    permutations: int,
    seed: int,
) -> None:
    """Find what the splits of a corpus share with one another and with the benchmarks."""
    rows = read_rows(splits, COLUMNS, "`dvc repro split` makes it again")
    found = list(
        find_leakage(
            rows=rows,
            benchmarks={name: read_questions(questions / name) for name in benchmarks},
            likeness=Likeness(similarity, shingle, permutations, seed),
        )
    )
    write_rows(found, leakage, LEAKAGE)
    write_json(count_leakage(found, rows, benchmarks), metrics)


if __name__ == "__main__":
    main()
