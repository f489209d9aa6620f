from pathlib import Path

import click

from feedback_lens.benchmarks.cells import read_answers
from feedback_lens.benchmarks.judges.verdicts import check_verdicts, describe_unreferenced
from feedback_lens.benchmarks.pairs.judging import PairJudge, judge_pairs
from feedback_lens.benchmarks.pairs.pairing import PAIR_JUDGMENTS, find_opponents, list_pairs
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.options import list_option, option, path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--params")
@path_option("--answers")
@path_option("--questions")
@option("--judge", "name")
@option("--method")
@path_option("--prompt")
@list_option("--benchmarks")
@option("--against")
@path_option("--judgments")
@option("--structured/--no-structured")
@option("--both_orders/--no-both_orders")
@option("--repetitions", type=click.IntRange(1))
@policy_options
def main(
    params: Path,
    answers: Path,
    questions: Path,
    name: str,
    method: str,
    prompt: Path,
    benchmarks: tuple[str, ...],
    against: str,
    judgments: Path,
    structured: bool,
    both_orders: bool,
    repetitions: int,
    policy: AskPolicy,
) -> None:
    """Compare every model's answers with those of one recipe."""
    opponents = find_opponents(read_axes(params).models(), against)
    models = list(dict.fromkeys([*opponents, *opponents.values()]))
    asked = {benchmark: read_questions(questions / benchmark) for benchmark in benchmarks}
    for benchmark, members in asked.items():
        if line := describe_unreferenced(benchmark, members):
            click.echo(f"judge_pairs: {line}", err=True)
    pairs = {
        benchmark: list_pairs(read_answers(answers, models, benchmark), opponents, members)
        for benchmark, members in asked.items()
    }
    judge = PairJudge(name, method, prompt, against, policy, structured, both_orders, repetitions)
    tables = judge_pairs(pairs, judge)
    check_verdicts("judge_pairs", f"pair_judges.{name}", tables, method, prompt, policy)
    for benchmark, (rows, counts) in tables.items():
        write_rows(rows, judgments / f"{benchmark}.parquet", PAIR_JUDGMENTS)
        write_json(counts, judgments / f"{benchmark}.json")


if __name__ == "__main__":
    main()
