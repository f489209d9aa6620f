"""The stages judge_pairs and compare_answers on small answers tables, as dvc.yaml calls them."""

import json
from itertools import product
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from feedback_lens.benchmarks.answering import ANSWERS
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.stages import compare_answers, judge_pairs
from feedback_lens.tables import read_rows, write_rows

PROJECT = Path(__file__).parents[1]
BENCHMARKS = PROJECT / "data" / "benchmarks"
RECIPES, SEEDS = ("rand_scratch", "kto"), (1, 2)


@pytest.fixture
def folder(tmp_path):
    """Answers to our MT-Bench questions: of KTO the reference, of rand_scratch nothing like it."""
    params = yaml.safe_load((PROJECT / "params.yaml").read_text())
    axes = {"bases": ["tiny"], "corpora": ["lmsys"], "recipes": [*RECIPES], "seeds": [*SEEDS]}
    params["run"]["models"] = axes
    params["run"]["further_models"] = {name: [] for name in axes}
    params["judges"] = {}
    params["pair_judges"] = {"words": {"benchmarks": ["mt_bench"], "against": "rand_scratch"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for recipe, seed in product(RECIPES, SEEDS):
        rows = [
            {
                "question_id": question.question_id,
                "turn": turn,
                "answer": text if recipe == "kto" else "",
                "outcome": "answered",
                "tokens": 1,
            }
            for question in read_questions(BENCHMARKS / "mt_bench")
            for turn, text in enumerate(question.references or question.turns, start=1)
        ]
        path = tmp_path / "answers" / "tiny" / "lmsys" / recipe / str(seed) / "mt_bench.parquet"
        write_rows(rows, path, ANSWERS)
    return tmp_path


def run(stage, *words):
    result = CliRunner().invoke(stage.main, list(map(str, words)))
    assert result.exit_code == 0, result.output


def judge(folder):
    run(
        judge_pairs,
        *("--params", folder / "params.yaml", "--answers", folder / "answers"),
        *("--questions", BENCHMARKS, "--judge", "words", "--method", "reference"),
        *("--prompt", PROJECT / "prompts" / "judge_pairs.txt", "--model", "None"),
        *("--benchmarks", "mt_bench", "--against", "rand_scratch", "--assistant", folder),
        *("--judgments", folder / "judged" / "words", "--temperature", "None"),
        *("--max_tokens", 1024, "--reasoning_effort", "None", "--reasks", 1),
        *("--no-structured", "--both_orders", "--repetitions", 1),
    )


def test_the_better_answers_win_and_the_metrics_say_so(folder):
    judge(folder)
    rows = read_rows(folder / "judged" / "words" / "mt_bench.parquet")
    questions = read_questions(BENCHMARKS / "mt_bench")
    turns = sum(len(question.turns) for question in questions)
    scored = sum(len(question.references) for question in questions)
    assert len(rows) == 2 * turns  # of KTO, with two seeds
    counts = json.loads((folder / "judged" / "words" / "mt_bench.json").read_text())
    assert (counts["model"], counts["answered"]) == (None, 2 * scored)
    run(
        compare_answers,
        *("--params", folder / "params.yaml", "--judge", "words"),
        *("--judgments", folder / "judged" / "words"),
        *("--metrics", folder / "pairs.json", "--resamples", 50, "--seed", 1),
    )
    metrics = json.loads((folder / "pairs.json").read_text())
    assert metrics == {
        "mt_bench": {
            "tiny": {
                "lmsys": {
                    "kto": {
                        **{"win_rate": 1.0, "ties": 0, "n": 2 * scored, "low": 1.0},
                        **{"high": 1.0, "unscored": 2 * (turns - scored)},
                        "order_agreement": None,
                    }
                }
            }
        }
    }


def test_the_tables_have_the_same_bytes_from_run_to_run(folder):
    path = folder / "judged" / "words" / "mt_bench.parquet"
    judge(folder)
    first = path.read_bytes()
    judge(folder)
    assert path.read_bytes() == first
