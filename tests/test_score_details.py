import json
from pathlib import Path

import pytest

from feedback_lens.axes import Model
from feedback_lens.benchmarks.questions import GROUPS
from feedback_lens.benchmarks.score_details import describe, describe_runs
from feedback_lens.benchmarks.wildbench_scores import (
    WEIGHTS,
    is_empty,
    measure_length,
    score_groups,
    score_known_groups,
)
from judged_rows import task
from judgments import judged

REAL = Path(__file__).parents[2] / "shared" / "real"
needs_real_data = pytest.mark.skipif(not REAL.exists(), reason="real data, not in Git: ../shared")
CODING, CREATIVE, PLANNING = "Coding & Debugging", "Creative Tasks", "Planning & Reasoning"
CUT_OFF = {"answer_outcome": "cut_off", "answer_tokens": 100, "answer_characters": 400}
EMPTY = {"answer_outcome": "answered", "answer_tokens": None, "answer_characters": 0}


def test_turns_and_categories_are_means_over_seeds():
    details = describe_runs("mt_bench", [judged(4, 6, None, 8), judged(4, 2, 4, 6)])
    assert details["as_published"] == 5  # (6 + 4) / 2
    # first turns: 4 and (4 + 4) / 2; second turns: (6 + 8) / 2 and (2 + 6) / 2
    assert (details["turn_1"], details["turn_2"]) == (4, 5.5)
    # writing: (4 + 6) / 2 and (4 + 2) / 2; math: 8 and (4 + 6) / 2
    assert details["categories"] == {"math": 6.5, "writing": 4}


def test_the_bounds_take_unscored_judgments_for_the_lowest_and_the_highest_rating():
    details = describe_runs("mt_bench", [judged(4, None), judged(6, 8)])
    # (4 + 1) / 2 = 2.5 or (4 + 10) / 2 = 7, and 7
    assert (details["complete_low"], details["complete_high"]) == (4.75, 7)
    assert (details["seeds"], details["judgments"], details["unscored"]) == (2, 4, 1)
    # of a run without any rating the bounds are the ends of the scale: (1 - 5) * 20, (10 - 5) * 20
    nothing = describe_runs("wildbench", [judged(None)])
    assert (nothing["complete_low"], nothing["complete_high"]) == (-80, 100)
    assert (nothing["seeds"], nothing["as_published"]) == (0, None)


def test_without_unscored_judgments_the_bounds_are_the_score():
    details = describe_runs("mt_bench", [judged(4, 6)])
    assert details["complete_low"] == details["complete_high"] == details["as_published"] == 5


def test_answers_are_counted_once_however_often_they_are_judged():
    first = [task("a", 4, "writing", **CUT_OFF), task("b", 6, "math")]
    second = [{**row, "repetition": 1, "score": None} for row in first]
    details = describe_runs("mt_bench", [first + second])
    assert (details["answers"], details["judgments"], details["unscored"]) == (2, 4, 2)
    assert (details["cut_off"], details["tokens"]) == (1, 55)  # (100 + 10) / 2
    # each of the four judgments counts: (4 + 6 + 1 + 1) / 4 and (4 + 6 + 10 + 10) / 4
    assert (details["complete_low"], details["complete_high"]) == (3, 7.5)


def test_tokens_that_were_not_counted_have_no_mean():
    assert describe_runs("mt_bench", [[task("a", 4, "math", **EMPTY)]])["tokens"] is None


def test_single_turn_benchmarks_have_no_means_by_turn_and_mt_bench_has_no_macro():
    assert "turn_1" not in describe_runs("wildbench", [judged(4)])
    assert "macro" not in describe_runs("mt_bench", [judged(4)])


def test_a_task_counts_in_each_of_its_groups():
    rows = [task("a", 6, CODING, PLANNING), task("b", 4, PLANNING), task("c", 8, CREATIVE)]
    details = describe_runs("wildbench", [rows])
    # (6 - 5) * 20; ((6 + 4) / 2 - 5) * 20; (8 - 5) * 20
    assert details["categories"] == {CODING: 20, CREATIVE: 60, PLANNING: 0}
    # (20 * 1.25 + 60 * 0.5 + 0 * 1.25) / 4.75; two groups have no task, and count 0
    assert details["macro"] == pytest.approx(55 / 4.75)
    # the same over the weights of the three groups that have one: 1.25 + 0.5 + 1.25
    assert details["macro_complete"] == pytest.approx(55 / 3)


def test_empty_answers_count_in_the_score_but_in_no_group():
    rows = [task("a", 6, CODING), task("b", 1, CODING, **EMPTY), task("c", 8, CODING, **CUT_OFF)]
    details = describe_runs("wildbench", [rows])
    assert details["as_published"] == 0  # ((6 + 1 + 8) / 3 - 5) * 20
    assert details["categories"] == {CODING: 40}  # ((6 + 8) / 2 - 5) * 20
    assert details["categories_complete"] == {CODING: 0}
    # the mean length is (40 + 400) / 2
    assert (details["empty"], details["cut_off"], details["characters"]) == (1, 1, 220)
    assert details["macro"] == pytest.approx(40 * 1.25 / 4.75)
    assert details["macro_complete"] == 0


def test_a_group_that_only_empty_answers_have_is_in_the_complete_figures_alone():
    unasked = {"answer_outcome": "failed", "answer_tokens": None, "answer_characters": None}
    rows = [task("a", 6, CODING, **EMPTY), task("b", 8, CODING, **unasked)]
    details = describe_runs("wildbench", [rows])
    assert (details["categories"], details["macro"], details["characters"]) == ({}, None, None)
    assert details["categories_complete"] == {CODING: 40}  # ((6 + 8) / 2 - 5) * 20


def test_the_macro_score_is_weighted_as_wildbench_weighs_its_groups():
    assert sum(WEIGHTS.values()) == 4.75
    scores = dict(zip(WEIGHTS, (10, 20, 30, 40, 50), strict=True))
    # creative 10 * .5, planning 20 * 1.25, math 30, information 40 * .75, coding 50 * 1.25: 152.5
    assert score_groups(scores) == score_known_groups(scores) == pytest.approx(152.5 / 4.75)
    assert score_groups({}) is score_known_groups({}) is None
    assert score_groups(dict.fromkeys(WEIGHTS)) is None


def test_every_group_of_the_questions_has_a_weight():
    assert set(GROUPS.values()) == set(WEIGHTS)


def test_details_are_nested_as_the_summary():
    models = {
        Model("tiny", None, "base", None): judged(3, 5),
        Model("tiny", "lmsys", "kto", 1): judged(4, 6),
        Model("tiny", "lmsys", "kto", 2): judged(6, 8),
    }
    tiny = describe({("mt_bench", "fast"): models})["mt_bench"]["fast"]["tiny"]
    assert tiny["base"]["as_published"] == 4
    assert (tiny["lmsys"]["kto"]["seeds"], tiny["lmsys"]["kto"]["as_published"]) == (2, 6)


@needs_real_data
def test_empty_answers_in_real_verdicts_are_in_the_score_but_not_in_the_length():
    path = REAL / "wildbench" / "gemma-2b-it.judge.jsonl"
    verdicts = [json.loads(line) for line in path.open(encoding="utf-8")]
    rows = [
        task(v["session_id"], float(v["score"]), CODING, answer_characters=v["model_output_chars"])
        for v in verdicts
    ]
    lengths = [v["model_output_chars"] for v in verdicts if v["model_output_chars"]]
    assert 0 < len(lengths) < len(rows)
    assert sum(map(is_empty, rows)) == len(rows) - len(lengths)
    assert measure_length(rows) == pytest.approx(sum(lengths) / len(lengths))
    details = describe_runs("wildbench", [rows])
    assert (details["answers"], details["empty"]) == (1021, len(rows) - len(lengths))
    assert details["as_published"] == details["categories_complete"][CODING]
    assert details["categories"][CODING] > details["as_published"]  # empty answers are rated low
