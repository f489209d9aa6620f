from dataclasses import replace

import pytest
from click.testing import CliRunner

from feedback_lens.axes import Model
from feedback_lens.benchmarks.answering import ANSWERS
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.params import read_axes
from feedback_lens.report.browsers.answers import (
    choose_questions,
    explain_absence,
    read_shown_answers,
)
from feedback_lens.report.page.build import build_page
from feedback_lens.stages import report
from feedback_lens.stages.report import main
from feedback_lens.tables import read_rows, write_rows
from report_answers import ALIKE
from report_page import build, data_of, section_of
from report_world import write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    arguments = write_world(folder)
    build(arguments)
    return folder, arguments


@pytest.fixture(scope="module")
def shown(world):
    return data_of((world[0] / "report/index.html").read_text(encoding="utf-8"), "answers")


def rebuild(world, tmp_path, **options):
    arguments = [*world[1]]
    for name, value in {"report": tmp_path / "index.html", **options}.items():
        arguments[arguments.index(f"--{name}") + 1] = str(value)
    return build(arguments)


def find(shown, benchmark, key):
    """A benchmark by its name, and the place of a model by its key."""
    place = next(place for place, model in enumerate(shown["models"]) if model["key"] == key)
    return next(each for each in shown["benchmarks"] if each["name"] == benchmark), place


def read(shown, number):
    return None if number is None else shown["texts"][number]


def folder_of(row):
    return Model(*(row[axis] for axis in Model._fields)).folder.as_posix()


def table_of(world, path):
    return read_rows(world[0] / "data" / f"{path}.parquet")


def test_every_answer_of_the_tables_is_shown_with_outcome_and_tokens(world, shown):
    assert len(shown["models"]) == 5  # the untrained base, two recipes with two seeds each
    for place, model in enumerate(shown["models"]):
        for benchmark in shown["benchmarks"]:
            told = [
                (question["id"], turn, read(shown, text), outcome, tokens)
                for question, answers in zip(
                    benchmark["questions"], benchmark["answers"], strict=True
                )
                for turn, (text, outcome, tokens) in enumerate(answers[place], start=1)
            ]
            rows = table_of(world, f"answers/{model['key']}/{benchmark['name']}")
            assert told == [tuple(row.values()) for row in rows]


def test_every_judgment_of_the_tables_is_shown_with_its_words(world, shown):
    names = ("turn", "repetition", "score", "outcome", "judgment")
    judged = {"mt_bench": ["reference"], "wildbench": ["reference", "wild"]}
    for benchmark in shown["benchmarks"]:
        assert [judge["name"] for judge in benchmark["judges"]] == judged[benchmark["name"]]
        for judge in benchmark["judges"]:
            path = f"judgments/answers/{judge['name']}/{benchmark['name']}"
            wanted = {
                (folder_of(row), row["question_id"], *(row[name] for name in names))
                for row in table_of(world, path)
            }
            assert wanted == {
                (model["key"], question["id"], *row, read(shown, words))
                for question, models in zip(benchmark["questions"], judge["rows"], strict=True)
                for model, rows in zip(shown["models"], models, strict=True)
                for *row, words in rows
            }


def test_a_stand_in_is_a_judge_without_a_model(shown):
    judges = [judge for benchmark in shown["benchmarks"] for judge in benchmark["judges"]]
    assert [judge["model"] for judge in judges] == [None, None, "some-judge"]


def test_a_verdict_names_both_models_and_its_order(shown):
    benchmark, kto = find(shown, "mt_bench", "tiny/lmsys/kto/2")
    _, random = find(shown, "mt_bench", "tiny/lmsys/rand_scratch/2")
    [order] = benchmark["pairs"]
    assert [order["name"], order["against"]] == ["order", "rand_scratch"]
    # on the second question the orders disagree
    assert [row[:-1] for row in order["rows"][1] if row[0] == kto] == [
        [kto, random, 1, 0, 0, "win", "answered"],
        [kto, random, 1, 1, 0, "loss", "answered"],
    ]
    assert shown["texts"][order["rows"][1][0][-1]] == "in order 0: win"


def test_answers_that_are_equal_are_stored_once(shown):
    assert shown["texts"].count(ALIKE) == 1
    assert len(shown["texts"]) == len(set(shown["texts"]))


def test_a_question_has_history_checklist_and_reference(shown):
    mt_bench, wildbench = (benchmark["questions"] for benchmark in shown["benchmarks"])
    assert mt_bench[1]["turns"] == ["What is 2 + 2?", "And 3 + 3?"]
    assert mt_bench[1]["references"] == ["Four.", "Six."]
    assert wildbench[0]["history"] == [["user", "Name a planet."], ["assistant", "Mars"]]
    assert wildbench[0]["checklist"] == ["Is it named?"]


def test_the_questions_are_spread_over_the_benchmark(world):
    [first, second, third] = read_questions(world[0] / "benchmarks/mt_bench")
    # of 3 the places 0 * 3 // 2 and 1 * 3 // 2; of 8 every other one
    assert choose_questions([first, second, third], 2) == [first, second]
    eight = [replace(first, question_id=str(place)) for place in range(8)]
    assert [question.question_id for question in choose_questions(eight, 4)] == ["0", "2", "4", "6"]
    assert choose_questions([first], 5) == [first]


def test_no_text_of_other_questions_is_in_the_page(world, tmp_path):
    shown = data_of(rebuild(world, tmp_path, questions=1), "answers")
    assert [len(benchmark["questions"]) for benchmark in shown["benchmarks"]] == [1, 1]
    assert [benchmark["total"] for benchmark in shown["benchmarks"]] == [3, 2]
    assert not any(" to 2" in text for text in shown["texts"])


def test_a_model_of_an_earlier_run_is_not_shown(world, tmp_path):
    axes = read_axes(world[0] / "params.yaml")
    fewer = replace(axes, groups=(replace(axes.groups[0], seeds=(1,)), axes.groups[1]))
    shown = read_shown_answers(fewer, world[0] / "data", world[0] / "benchmarks", 10)
    assert [model["seed"] for model in shown["models"]] == [None, 1, 1]
    [order] = shown["benchmarks"][0]["pairs"]
    assert {(row[0], row[1]) for rows in order["rows"] for row in rows} == {(2, 1)}


@pytest.mark.parametrize(
    ("own", "questions", "reason"),
    [
        ({}, 0, "None shown: report.questions is 0."),
        ({"benchmarks": ()}, 10, "Not run: no model answers a benchmark"),
        ({"groups": (), "untrained": ()}, 10, "Not run: no model answers a benchmark"),
    ],
)
def test_a_page_without_answers_says_why(world, own, questions, reason):
    axes = replace(read_axes(world[0] / "params.yaml"), **own)
    shown = read_shown_answers(axes, world[0] / "data", world[0] / "benchmarks", questions)
    assert explain_absence(axes, shown).startswith(reason)


def test_a_page_may_leave_the_answers_out(world, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "build_page", lambda *read: build_page(*read[:2], None))
    page = rebuild(world, tmp_path)
    assert "Left out of this copy" in section_of(page, "answers")
    assert 'id="answers-data"' not in page
    assert ALIKE not in page


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("data/answers/tiny/base/mt_bench.parquet", "no such table; `dvc repro` makes it"),
        ("data/answers/tiny/lmsys/kto/2/wildbench.parquet", "no such table; `dvc repro` makes it"),
        ("data/judgments/answers/wild/wildbench.parquet", "no such table; `dvc repro` makes it"),
        ("data/judgments/pairs/order/mt_bench.parquet", "no such table; `dvc repro` makes it"),
        ("benchmarks/wildbench/tasks.jsonl", "holds neither question.jsonl (MT-Bench) nor"),
    ],
)
def test_a_missing_file_is_one_line_that_names_it(tmp_path, name, fault):
    arguments = write_world(tmp_path)
    (tmp_path / name).unlink()
    result = CliRunner().invoke(main, arguments)
    named = tmp_path / (name if fault.startswith("no such") else "benchmarks/wildbench")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert f"{named}: {fault}" in result.output


def test_a_missing_answer_names_its_file_question_and_turn(tmp_path):
    arguments = write_world(tmp_path)
    path = tmp_path / "data/answers/tiny/base/mt_bench.parquet"
    write_rows(read_rows(path)[:-1], path, ANSWERS)
    result = CliRunner().invoke(main, arguments)
    assert f"{path}: no answer to question 3, turn 2; run `dvc repro`" in result.output
