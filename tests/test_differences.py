import pytest

from feedback_lens.feedback.evaluation import evaluate_labels
from feedback_lens.feedback.local.differences import compare_detectors

GOLD = ["NEG_1", "NEG_2", "POS", "NEU", "NEU", "NEG_4"]
FIRST = ["NEG_1", "NEG_1", "POS", "NEU", "POS", "NEG_4"]
SECOND = ["NEU", "NEG_2", "NEU", "NEU", "NEU", "NEU"]
TALKS = ["a", "a", "b", "b", "c", "c"]


def compare(first=FIRST, second=SECOND, talks=TALKS, resamples=500):
    return compare_detectors(GOLD, first, second, talks, resamples, 1)


def test_differences_are_those_of_the_two_evaluations():
    found = compare()
    one, other = evaluate_labels(GOLD, FIRST), evaluate_labels(GOLD, SECOND)
    # three-way: 5 of 6 against 3 of 6; fine: 4 of 6 against 3 of 6
    assert found["three_way_accuracy"]["difference"] == pytest.approx(2 / 6)
    assert found["fine_accuracy"]["difference"] == pytest.approx(1 / 6)
    expected = one["fine"]["macro"]["f1"] - other["fine"]["macro"]["f1"]
    assert found["fine_macro_f1"]["difference"] == pytest.approx(expected)


def test_an_interval_holds_the_difference_and_stays_within_what_conversations_allow():
    # right by kind of two turns each: a 2 and 1, b 2 and 1, c 1 and 1: differences 1/2, 1/2, 0
    found = compare()["three_way_accuracy"]
    assert (found["low"], found["high"]) == (0, 0.5)


def test_a_detector_does_not_differ_from_itself():
    zero = {"difference": 0, "low": 0, "high": 0}
    assert compare(FIRST, FIRST) == dict.fromkeys(compare(), zero)


def test_one_conversation_has_no_interval():
    found = compare(talks=["a"] * 6)["fine_macro_f1"]
    assert (found["low"], found["high"]) == (None, None)
    assert found["difference"] == compare()["fine_macro_f1"]["difference"]


def test_the_same_seed_draws_the_same():
    assert compare() == compare()
