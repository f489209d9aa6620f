"""WildBench's way to judge: on a template made up here, and on its own verdicts where they are."""

import json
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.benchmarks.judges.wildbench import (
    JSON_OBJECT,
    find_fault,
    read_score,
    read_template,
    request_score,
)
from feedback_lens.benchmarks.questions import Question
from feedback_lens.benchmarks.summary import score_rows
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from judge_prompts import TEMPLATE

REAL = Path(__file__).parents[2] / "shared" / "real" / "wildbench"
SAMPLING = Sampling(0.0, max_tokens=1024)
HISTORY = (
    {"role": "system", "content": "h0"},
    {"role": "user", "content": "h1"},
    {"role": "assistant", "content": "h2"},
)
TASK = Question("t", ("Creative Tasks",), ("u",), HISTORY, (), ("Short?", "Right?"), 0.0)


def ask(question, *answers, structured=False):
    return request_score(question, answers, "gpt-4o", SAMPLING, TEMPLATE, structured)


def test_the_template_gets_history_query_answer_and_checklist():
    [message] = ask(TASK, "a").messages
    assert message == {
        "role": "user",
        "content": "H\nUSER: h1\n\nASSISTANT: h2\n\n\nQ u A <a>\n- Short?\n- Right?\n\n"
        '{"score": "[1~10]"}\n',
    }


def test_an_answer_without_text_and_a_task_without_history_are_empty():
    bare = Question("t", ("Creative Tasks",), ("u",), (), (), ("Short?",), 0.0)
    content = ask(bare, None).messages[0]["content"]
    assert content == 'H\n\nQ u A <>\n- Short?\n\n{"score": "[1~10]"}\n'


def test_a_later_turn_is_asked_about_after_the_earlier_ones():
    talk = Question("t", ("Creative Tasks",), ("u1", "u2"), (), (), ("Short?",), 0.0)
    content = ask(talk, "a1", "a2").messages[0]["content"]
    assert content.startswith("H\nUSER: u1\n\nASSISTANT: a1\n\n\nQ u2 A <a2>")


def test_places_in_users_and_models_words_stay_as_they_are():
    task = Question("t", ("Creative Tasks",), ("{$model_output}",), (), (), ("{$history}",), 0.0)
    content = ask(task, "{$checklist}").messages[0]["content"]
    assert "Q {$model_output} A <{$checklist}>\n- {$history}\n" in content


def test_an_object_is_asked_for_where_output_is_structured():
    formats = [ask(TASK, "a", structured=s).response_format for s in (False, True)]
    assert formats == [None, JSON_OBJECT]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{$history} {$user_query} {$model_output}", r"the place \{\$checklist\} is missing or"),
        (TEMPLATE + "{$candidate_A}", r"the place \{\$candidate_A\} is missing or unknown"),
        (TEMPLATE.replace("{$", "{"), r"the place \{\$checklist\} is missing or unknown"),
    ],
)
def test_another_template_is_an_error(tmp_path, template, message):
    path = tmp_path / "template.md"
    path.write_text(template)
    with pytest.raises(InputError, match=message):
        read_template(path)
    with pytest.raises(InputError, match="none: cannot be read"):
        read_template(tmp_path / "none")
    path.write_text(TEMPLATE)
    assert read_template(path) == TEMPLATE


def test_a_question_without_checklist_cannot_be_judged():
    question = Question("m", ("math",), ("u",), (), (), (), 0.0)
    assert find_fault(question) == "has no checklist, which WildBench's template shows"
    assert find_fault(TASK) is None


def verdict(score, **others):
    return json.dumps({"strengths": "s", "weaknesses": "w", "score": score, **others})


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (verdict("8"), 8),
        (f"\n{verdict('10')} ", 10),
        (verdict("7.5"), 7.5),
        (verdict(6), 6),
        # more keys do no harm: one of the published verdicts has one
        (verdict("3", note="n"), 3),
        # code fences around the object
        (f"```json\n{verdict('4')}\n```", 4),
        ('```json\n{"strengths":"a","score": 7}\n```', 7),
        (f"\n```\n{verdict(7.5)}\n```\n", 7.5),
        (f"```json\n{verdict(True)}\n```", None),
        (f"```json\n{verdict('8/10')}\n```", None),
        (f"```json\n{verdict(11)}\n```", None),
        # the object's own score, not one that it quotes in an inner one
        ('```json\n{"answer": {"score": "10"}, "score": "2"}\n```', 2),
        # no whole object: the first score in it, one without quotes where none has quotes
        (f"Mine: ```json\n{verdict(4)}\n```", 4),
        ('It says {"score": 9}. {"score": "2"}', 2),
        ('It says {"score": 9}. {"score": 2}', 9),
        ('Mine: {"score": 7/10}', None),
        ('Mine: {"score": -7}', None),
        ('Mine: {"score": 70}', None),
        ('Mine: {"score": 7', None),
        ('It says "score": "9". {"score": "2"}', 9),
        ('{"strengths": "broken " quotes", "score": "5"}', 5),
        (verdict("0"), None),
        (verdict("11"), None),
        (verdict("8/10"), None),
        (verdict("nan"), None),
        (verdict(True), None),
        (verdict(None), None),
        (verdict(["8"]), None),
        (verdict(10**400), None),
        ('{"strengths": "s"}', None),
        ('["score"]', None),
        ("Score: 8", None),
        ("", None),
    ],
)
def test_the_score_is_that_of_the_object(text, score):
    assert read_score(text) == score


@given(st.text() | st.text().map(lambda text: f'{{"score": "{text}"}}') | st.floats().map(verdict))
def test_any_text_has_a_score_from_1_to_10_or_none(text):
    score = read_score(text)
    assert score is None or 1 <= score <= 10


def test_deep_nesting_is_no_score():
    assert read_score("[" * 100_000) is None


def test_means_are_over_what_could_be_read_and_on_the_paper_s_scale():
    texts = [verdict("8"), verdict("3"), "no verdict", verdict("7")]
    rows = [{"score": read_score(text)} for text in texts]
    # (8 + 3 + 7) / 3 = 6; (6 - 5) * 20
    assert score_rows("wildbench", rows) == 20


@pytest.mark.skipif(not REAL.is_dir(), reason="real data, not in Git: ../shared")
@pytest.mark.parametrize(
    ("name", "count", "mean", "scaled"),
    [
        ("gemma-2b-it", 1021, 4.73751, -5.2498),
        ("gpt-3.5-turbo-0125", 1023, 6.613880742913001, 32.27761485826002),
    ],
)
def test_the_real_verdicts_are_read_and_their_means_are_the_published_ones(
    name, count, mean, scaled
):
    with (REAL / f"{name}.judge.jsonl").open("rb") as lines:
        rows = [json.loads(line) for line in lines]
    read = [{"score": read_score(json.dumps(row["parsed_result"]))} for row in rows]
    assert [row["score"] for row in read] == [float(row["score"]) for row in rows]
    assert len(read) == count
    assert fmean(row["score"] for row in read) == pytest.approx(mean, abs=5e-6)
    assert score_rows("wildbench", read) == pytest.approx(scaled, abs=5e-5)
