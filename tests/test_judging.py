import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogues import record
from feedback_lens.benchmarks.judging import (
    JUDGMENTS,
    build_dialogue,
    judge_answers,
    judge_by_reference,
    read_rating,
)
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Sampling, ask_user
from feedback_lens.errors import InputError
from feedback_lens.prompts import fence, read_prompt, render
from feedback_lens.tables import read_rows, write_rows

PROMPT = Path(__file__).parents[1] / "prompts" / "judge_mt_bench.txt"
REAL = Path(__file__).parents[2] / "shared" / "real" / "mt_bench" / "judgments_gpt-4_single.jsonl"
SAMPLING = Sampling(temperature=0.0, max_tokens=1024)
MATH = Question("m", "math", ("u1", "u2"), (), ("one two", "three"), (), 0.0)
TASK = Question(
    "t", "Creative", ("u3",), ({"role": "user", "content": "u0"},), ("r",), ("Is it short?",), 0.0
)


def answer(question_id, turn, text, recipe="kto"):
    model = {"base": "tiny", "corpus": "lmsys", "recipe": recipe, "seed": 1}
    return {
        **model,
        "question_id": question_id,
        "turn": turn,
        "answer": text,
        "outcome": "answered",
    }


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("Rating: [[7]]", 7),
        ("Rating: [[7.5]]", 7.5),
        ("Rating: [[7.]]", 7),
        ("It plants [[10]] in its answer. Rating: [[2]]", 2),
        ("As [1] says, it is good. [[8]]", 8),
        ("It uses my_list[1], fine.", None),
        ("Rating: [[10]]", 10),
        ("Rating: [[11]]", None),
        ("Rating: [[0]]", None),
        ("Rating: [[-5]]", None),
        ("Rating: [[ 5 ]]", None),
        ("Rating: [[rating]]", None),
        ("Rating: 7/10", None),
        ("", None),
    ],
)
def test_the_last_rating_of_a_judgment_is_its_verdict(text, rating):
    assert read_rating(text) == rating


@given(st.text("[]0123456789. x\n") | st.text())
def test_any_text_has_a_rating_from_1_to_10_or_none(text):
    rating = read_rating(text)
    assert rating is None or 1 <= rating <= 10


@pytest.mark.skipif(not REAL.is_file(), reason="real judgments, not in Git: ../shared")
def test_all_real_ratings_are_read_again():
    rows = [json.loads(line) for line in REAL.open("rb")]
    assert len(rows) == 480
    differing = [row for row in rows if read_rating(row["judgment"]) != row["score"]]
    assert differing == []


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("One, TWO!", 10),
        # 1 word of 2 wanted and 2 found: F1 = 2 * 1 / 4
        ("two four", 5.5),
        # of "two two" one is shared: again 2 * 1 / 4
        ("two two", 5.5),
        ("nothing", 1),
        ("", 1),
    ],
)
def test_the_reference_judge_counts_shared_words(text, score):
    found, outcome, _ = judge_by_reference(answer("m", 1, text), MATH)
    assert (found, outcome) == (score, "answered")


def test_each_turn_has_its_own_reference():
    assert judge_by_reference(answer("m", 2, "three"), MATH)[0] == 10


def test_without_reference_or_answer_there_is_no_score():
    for given_answer in (answer("m", 3, "one"), answer("m", 1, None)):
        assert judge_by_reference(given_answer, MATH)[:2] == (None, "unreadable")


def test_the_judge_sees_reference_or_checklist_where_they_belong():
    math = build_dialogue(MATH, ["a1", "a2"])
    assert [m["content"] for m in math["messages"]] == ["u1", "a1", "u2", "a2"]
    assert math["references"] == ["one two", "three"]
    assert build_dialogue(MATH, ["a1"])["references"] == ["one two"]
    assert "checklist" not in math
    # no reference for a category that FastChat judges without
    task = build_dialogue(TASK, [None])
    assert [m["content"] for m in task["messages"]] == ["u0", "u3", ""]
    assert (task["checklist"], "references" in task) == (["Is it short?"], False)


def judge(answers, name, source):
    return judge_answers(answers, [MATH, TASK], name, PROMPT, "gpt-5.4", source, SAMPLING)


def test_a_model_judges_each_answer_after_the_same_model_s_earlier_ones(tmp_path):
    template = read_prompt(PROMPT, {"dialogue"})
    answers = [
        answer("m", 1, "a1 [[10]]"),
        answer("m", 2, "a2"),
        answer("m", 1, "b1", "base"),
        answer("m", 2, "b2", "base"),
    ]
    expected = (["a1 [[10]]"], ["a1 [[10]]", "a2"], ["b1"], ["b1", "b2"])
    verdicts = [("Rating: [[6]]",), ("no rating",), ("[[9]]", "cut_off"), (None, "refused")]
    record(
        tmp_path,
        [
            (
                ask_user(
                    "gpt-5.4",
                    render(template, {"dialogue": fence(build_dialogue(MATH, seen))}),
                    SAMPLING,
                ),
                *verdict,
            )
            for seen, verdict in zip(expected, verdicts, strict=True)
        ],
    )
    rows = judge(answers, "llm", tmp_path)
    assert [(r["recipe"], r["turn"], r["score"], r["outcome"], r["judgment"]) for r in rows] == [
        ("kto", 1, 6, "answered", "Rating: [[6]]"),
        ("kto", 2, None, "unreadable", "no rating"),
        ("base", 1, None, "cut_off", "[[9]]"),
        ("base", 2, None, "refused", None),
    ]


def test_the_reference_judge_needs_no_model(tmp_path):
    rows = judge([answer("m", 1, "one two"), answer("t", 1, None)], "reference", tmp_path)
    assert [(r["question_id"], r["category"], r["score"], r["outcome"]) for r in rows] == [
        ("m", "math", 10, "answered"),
        ("t", "Creative", None, "unreadable"),
    ]
    write_rows(rows, tmp_path / "j.parquet", JUDGMENTS)
    assert read_rows(tmp_path / "j.parquet") == rows


def test_an_unknown_judge_or_question_is_an_error(tmp_path):
    with pytest.raises(InputError, match="'people' is unknown; reference and llm are known"):
        judge([], "people", tmp_path)
    with pytest.raises(InputError, match="questions that the benchmark lacks: x"):
        judge([answer("x", 1, "a")], "reference", tmp_path)
