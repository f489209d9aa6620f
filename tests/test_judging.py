import json
from dataclasses import replace
from pathlib import Path

import pytest

from dialogues import record
from feedback_lens.benchmarks.judging import JUDGMENTS, judge_answers, judge_by_reference
from feedback_lens.benchmarks.prompted import request_judgment
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from feedback_lens.prompts import read_prompt
from feedback_lens.tables import read_rows, write_rows

PROMPT = Path(__file__).parents[1] / "prompts" / "judge_mt_bench.txt"
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


def judge(answers, name, source, reasks=0, structured=False):
    policy = AskPolicy("gpt-5.4", source, SAMPLING, reasks)
    return judge_answers(answers, [MATH, TASK], name, PROMPT, policy, structured)


def request(*answers, structured=False):
    template = read_prompt(PROMPT, {"dialogue"})
    return request_judgment(MATH, answers, template, "gpt-5.4", SAMPLING, structured)


def test_a_model_judges_each_answer_after_the_same_model_s_earlier_ones(tmp_path):
    answers = [
        answer("m", 1, "a1 [[10]]"),
        answer("m", 2, "a2"),
        answer("m", 1, "b1", "base"),
        answer("m", 2, "b2", "base"),
    ]
    expected = (["a1 [[10]]"], ["a1 [[10]]", "a2"], ["b1"], ["b1", "b2"])
    verdicts = [("Rating: [[6]]",), ("no rating",), ("[[9]]", "cut_off"), (None, "refused")]
    replies = [(request(*seen), *v) for seen, v in zip(expected, verdicts, strict=True)]
    record(tmp_path, replies)
    rows, counts = judge(answers, "llm", tmp_path)
    assert [(r["recipe"], r["turn"], r["score"], r["outcome"], r["judgment"]) for r in rows] == [
        ("kto", 1, 6, "answered", "Rating: [[6]]"),
        ("kto", 2, None, "unreadable", "no rating"),
        ("base", 1, None, "cut_off", "[[9]]"),
        ("base", 2, None, "refused", None),
    ]
    assert counts == {
        "model": "gpt-5.4",
        **{"answered": 1, "refused": 1, "cut_off": 1, "filtered": 0, "unreadable": 1, "failed": 0},
        # four calls of 10 + 2 tokens
        **{"calls": 4, "reasked": 0, "uncounted": 0, "prompt_tokens": 40, "completion_tokens": 8},
    }


def test_an_unreadable_judgment_is_asked_for_again_until_one_is_readable(tmp_path):
    asked = request("a1")
    texts = ("It is fine.", "It is [[5]], or [[6]]", "Rating: [[5]]", "Rating: [[6]]")
    draws = [replace(asked, sample=sample) for sample in range(4)]
    record(tmp_path, zip(draws, texts, strict=True))
    rows, counts = judge([answer("m", 1, "a1")], "llm", tmp_path, reasks=3)
    assert (rows[0]["score"], rows[0]["judgment"]) == (5, "Rating: [[5]]")
    assert (counts["calls"], counts["reasked"], counts["answered"]) == (3, 2, 1)


def test_the_first_draw_counts_where_none_is_readable(tmp_path):
    asked = request("a1")
    record(tmp_path, [(asked, "It is fine."), (replace(asked, sample=1), "It is good.")])
    rows, counts = judge([answer("m", 1, "a1")], "llm", tmp_path, reasks=1)
    assert (rows[0]["outcome"], rows[0]["judgment"]) == ("unreadable", "It is fine.")
    assert (counts["reasked"], counts["unreadable"]) == (1, 1)


def test_a_structured_judgment_is_read_from_its_object_alone(tmp_path):
    verdicts = (json.dumps({"judgment": "Fine. [[10]]", "rating": 6}), "Rating: [[6]]")
    asked = [request(text, structured=True) for text in ("a1", "b1")]
    record(tmp_path, zip(asked, verdicts, strict=True))
    answers = [answer("m", 1, "a1"), answer("m", 1, "b1", "base")]
    rows, _ = judge(answers, "llm", tmp_path, structured=True)
    assert [(row["score"], row["outcome"]) for row in rows] == [
        (6, "answered"),
        (None, "unreadable"),
    ]


def test_the_reference_judge_needs_no_model(tmp_path):
    answers = [answer("m", 1, "one two"), answer("t", 1, None)]
    rows, counts = judge(answers, "reference", tmp_path)
    assert [(r["question_id"], r["category"], r["score"], r["outcome"]) for r in rows] == [
        ("m", "math", 10, "answered"),
        ("t", "Creative", None, "unreadable"),
    ]
    assert (counts["model"], counts["answered"], counts["unreadable"]) == (None, 1, 1)
    assert "calls" not in counts
    write_rows(rows, tmp_path / "j.parquet", JUDGMENTS)
    assert read_rows(tmp_path / "j.parquet") == rows


def test_an_unknown_judge_or_question_is_an_error(tmp_path):
    with pytest.raises(InputError, match="'people' is unknown; reference and llm are known"):
        judge([], "people", tmp_path)
    with pytest.raises(InputError, match="questions that the benchmark lacks: x"):
        judge([answer("x", 1, "a")], "reference", tmp_path)
