import numpy as np
import pytest

from feedback_lens.feedback.local.calibration import (
    THRESHOLDS,
    fit_temperature,
    list_abstention,
    list_reliability,
    measure_calibration,
)

# four turns of two classes
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.35, 0.65], [0.45, 0.55]])
ACTUAL = np.array([0, 1, 1, 0])


def test_calibration_is_measured_by_hand():
    found = measure_calibration(PROBABILITIES, ACTUAL, 2)
    # one bin, 0.5 to 1: confidence (.9 + .8 + .65 + .55) / 4 = .725, accuracy 2 / 4
    assert found["expected_error"] == pytest.approx(0.225)
    # 2 * (.1^2 + .8^2 + .35^2 + .55^2) / 4 = 2 * 1.075 / 4
    assert found["brier"] == pytest.approx(0.5375)
    likelihood = -np.log([0.9, 0.2, 0.65, 0.45]).mean()
    assert found["negative_log_likelihood"] == pytest.approx(likelihood)


def test_the_expected_error_weighs_bins_by_their_turns():
    # five bins: .9 and .8 (.85, half right), .65 (right), .55 (wrong)
    # (2 * |.85 - .5| + 1 * |.65 - 1| + 1 * |.55 - 0|) / 4 = (.7 + .35 + .55) / 4
    assert measure_calibration(PROBABILITIES, ACTUAL, 5)["expected_error"] == pytest.approx(0.4)


def test_a_certain_mistake_has_a_finite_likelihood():
    found = measure_calibration(np.array([[1.0, 0.0]]), np.array([1]), 10)
    assert found["negative_log_likelihood"] == pytest.approx(-np.log(1e-12))
    assert (found["expected_error"], found["brier"]) == (1, 2)


def test_the_reliability_diagram_has_the_bins_that_hold_turns():
    rows = list_reliability("local", PROBABILITIES, ACTUAL, 5)
    assert [(row["bin"], row["turns"]) for row in rows] == [(0.4, 1), (0.6, 1), (0.8, 2)]
    assert rows[2] == {
        "detector": "local",
        "bin": 0.8,
        "confidence": pytest.approx(0.85),
        "accuracy": 0.5,
        "turns": 2,
    }


def test_full_confidence_stands_in_the_last_bin():
    rows = list_reliability("x", np.array([[1.0, 0.0]]), np.array([0]), 10)
    assert [row["bin"] for row in rows] == [0.9]


def test_abstaining_keeps_the_turns_of_enough_confidence():
    probabilities = np.array([[0.9, 0.1, 0.0], [0.1, 0.5, 0.4], [0.25, 0.35, 0.4]])
    classes, actual = ("NEG_1", "NEG_2", "NEU"), np.array([1, 1, 2])
    rows = {
        row["threshold"]: row for row in list_abstention("local", probabilities, actual, classes)
    }
    # guesses NEG_1, NEG_2, NEU: two of three right, all of three by their kind
    assert rows[0.0] == {
        "detector": "local",
        "threshold": 0.0,
        "share_kept": 1.0,
        "accuracy": pytest.approx(2 / 3),
        "three_way_accuracy": 1.0,
        "turns": 3,
    }
    assert (rows[0.5]["turns"], rows[0.5]["accuracy"]) == (2, 0.5)  # 0.5 is not below 0.5
    assert (rows[0.55]["turns"], rows[0.55]["share_kept"]) == (1, pytest.approx(1 / 3))
    assert max(rows) == 0.9  # nothing is left at 0.95


def test_thresholds_are_the_numbers_that_people_write():
    assert THRESHOLDS[:4] == (0.0, 0.05, 0.1, 0.15) and THRESHOLDS[-1] == 0.95


def test_the_temperature_brings_confidence_to_accuracy():
    # ten turns of odds 9 : 1, seven right: log 9 / T = log (7 / 3)
    scores = np.tile([np.log(9), 0.0], (10, 1))
    actual = np.array([0] * 7 + [1] * 3)
    assert fit_temperature(scores, actual) == pytest.approx(np.log(9) / np.log(7 / 3), rel=1e-3)
    # nine right: as it was
    assert fit_temperature(scores, np.array([0] * 9 + [1])) == pytest.approx(1, rel=1e-3)


def test_a_temperature_is_bounded_where_all_is_right_and_where_a_class_is_impossible():
    sure = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert 0.05 <= fit_temperature(sure, np.array([0, 1])) < 0.06
    impossible = np.array([[0.0, -1e9], [1.0, -1e9]])
    assert 0.05 <= fit_temperature(impossible, np.array([1, 0])) <= 20
