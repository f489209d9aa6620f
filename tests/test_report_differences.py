import pytest

from feedback_lens.analysis.intervals import wilson_interval
from feedback_lens.report.tables.differences import find_state, subtract
from feedback_lens.report.tables.values import (
    BLANK,
    DASH,
    DRAWN,
    NOT_RUN,
    ours,
    ours_with_interval,
    ours_with_spread,
    probability,
    reported,
    reported_rate,
    reported_share,
    share,
    size,
)


def test_means_over_seeds_have_welch_s_interval():
    # equal spreads of 0.3 over 5 seeds: 8 degrees of freedom, t(0.975) = 2.3060; times
    # sqrt(2 * 0.09 / 5) = 0.18974 is 0.4375
    difference = subtract(ours_with_spread(2.5, 0.3, 2, 5), reported([2.0, 0.3], 5))
    assert (difference.number, difference.text) == (0.5, "+0.50 (0.06 to 0.94)")
    assert difference.low == pytest.approx(0.5 - 0.4375, abs=1e-4)


def test_a_mean_without_a_spread_in_the_paper_is_taken_as_exact():
    # two seeds: t(0.975) of one degree of freedom is 12.7062; times 0.3 / sqrt(2) is 2.6954
    difference = subtract(ours_with_spread(2.5, 0.3, 2, 2), reported(2.0, 5))
    assert difference.text == "+0.50 (−2.20 to 3.20)"


def test_shares_that_the_paper_counts_have_newcombe_s_interval():
    # his example: 56 of 70 and 48 of 80, 0.2 (0.0524 to 0.3339) by method 10
    low, high = wilson_interval(56 / 70, 70)
    difference = subtract(share(56, 70, (100 * low, 100 * high)), reported_share(48, 80))
    assert (difference.low, difference.high) == pytest.approx((5.24, 33.39), abs=0.01)
    assert difference.text == "+20.0 (5.2 to 33.4)"


def test_a_rate_whose_counts_are_known_has_that_interval_too():
    low, high = wilson_interval(56 / 70, 70)
    ours_of_70 = ours_with_interval([80.0, 100 * low, 100 * high], 1)
    difference = subtract(ours_of_70, reported_rate(60.0, 80))
    assert (difference.low, difference.high) == pytest.approx((5.24, 33.39), abs=0.01)


def test_all_of_ours_right_tells_nothing_whatever_the_paper_counts():
    difference = subtract(ours_with_interval([100.0, 100.0, 100.0], 1), reported_rate(60.0, 80))
    assert (difference.low, difference.high) == (None, None)


def test_elsewhere_the_paper_s_number_is_taken_off_our_interval():
    # 50 (40 to 70) less 41.6
    difference = subtract(ours_with_interval([50.0, 40.0, 70.0], 1), reported(41.6))
    assert difference.text == "+8.4 (−1.6 to 28.4)"


@pytest.mark.parametrize(
    "value",
    [
        ours(3.0, 1),
        size(3),
        probability(0.04),
        ours_with_interval([3.0, None, None], 1),
        ours_with_interval([3.0, 3.0, 3.0], 1),  # too few to show any spread
        ours_with_spread(3.0, 0.2, 1, 1),
        ours_with_spread(3.0, 0.0, 1, 2),
    ],
)
def test_what_tells_nothing_of_chance_has_no_interval(value):
    difference = subtract(value, reported(2))
    assert (difference.low, difference.high) == (None, None)
    assert "(" not in difference.text
    assert find_state(value, reported(2)) == "no interval"


@pytest.mark.parametrize(
    ("value", "paper", "state"),
    [
        (ours_with_interval([50.0, 41.6, 70.0], 1), reported(41.6), "within"),
        (ours_with_interval([50.0, 41.7, 70.0], 1), reported(41.6), "outside"),
        (ours_with_interval([None, None, None], 1), reported(41.6), "no value of ours"),
        (share(0, 0), reported_share(3, 4), "no value of ours"),
        (DASH, reported(41.6), "no value of ours"),
        (ours(1.0, 1), reported(None), "no number in the paper"),
        (ours(1.0, 1), reported("<.00001"), "no number in the paper"),
        (ours(1.0, 1), DRAWN, "no number in the paper"),
        (NOT_RUN, DRAWN, "not run"),
        (NOT_RUN, reported(41.6), "not run"),
    ],
)
def test_a_cell_is_in_one_state(value, paper, state):
    assert find_state(value, paper) == state


def test_where_ours_has_no_column_the_difference_is_blank():
    assert subtract(BLANK, reported(1)) is BLANK
