import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from feedback_lens.analysis.rank_tests import (
    compare_ranks,
    compare_splits_of_prompts,
    correct_holm,
    measure_superiority,
)

TIED = st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=1, max_size=12)


def compare(first, second):
    return compare_ranks(np.array(first), np.array(second), resamples=200, seed=1)


def test_all_of_one_group_above_all_of_the_other():
    # 2 of C(6, 3) = 20 orders are as extreme: p = .1; 9 of 9 pairs: superiority 1, delta 1
    test = compare([0.4, 0.5, 0.6], [0.1, 0.2, 0.3])
    assert test["p"] == pytest.approx(0.1)
    assert (test["superiority"], test["delta"]) == (1, 1)
    # in any draw all of one are above all of the other
    assert (test["delta_low"], test["delta_high"]) == (1, 1)


def test_ties_count_half():
    # pairs of (1, 2) and (1, 3): 1-1 tie, 1-3 lost, 2-1 won, 2-3 lost: 1.5 of 4
    test = compare([1.0, 2.0], [1.0, 3.0])
    assert test["superiority"] == pytest.approx(1.5 / 4)
    assert test["delta"] == pytest.approx(2 * 1.5 / 4 - 1)
    assert -1 <= test["delta_low"] < -0.25 < test["delta_high"] <= 1


def test_without_a_group_there_is_no_test():
    assert set(compare([], [0.1]).values()) == set(compare([0.1], []).values()) == {None}


@given(TIED, TIED)
def test_p_is_scipy_s_and_superiority_is_u_by_the_number_of_pairs(first, second):
    u = mannwhitneyu(first, second)
    pairs = len(first) * len(second)
    found = measure_superiority(np.array(first), np.array(second))
    assert found == pytest.approx(u.statistic / pairs)
    back = measure_superiority(np.array(second), np.array(first))
    assert found + back == pytest.approx(1)


def test_the_interval_shrinks_with_the_groups_and_comes_again_with_the_seed():
    generator = np.random.default_rng(7)
    small, large = generator.random(10), generator.random(1000)
    narrow = compare_ranks(large, large + 0.1, 300, 1)
    wide = compare_ranks(small, small + 0.1, 300, 1)
    spread = [test["delta_high"] - test["delta_low"] for test in (narrow, wide)]
    assert spread[0] < 0.15 < spread[1]
    assert narrow["delta_low"] <= narrow["delta"] <= narrow["delta_high"]
    assert compare_ranks(small, small + 0.1, 300, 1) == wide


def test_a_prompt_of_both_splits_is_in_the_first_one_alone():
    neg = [("a", 0.4), ("b", 0.5), ("c", 0.6), ("d", np.nan)]
    # without a and d, of which d has no score in neg
    rand = [("a", 0.4), ("d", 0.9), ("x", 0.1), ("y", 0.2), ("z", 0.3), ("w", np.nan)]
    pairs = {"neg_vs_rand": ("neg", "rand"), "pos_vs_rand": ("pos", "rand")}
    tests = compare_splits_of_prompts({"neg": neg, "pos": [], "rand": rand}, pairs, 50, 1)
    test = tests["neg_vs_rand"]
    assert (test["n_first"], test["n_second"], test["delta"]) == (3, 3, 1)
    # one test is left, so Holm corrects nothing: 2 of C(6, 3) = 20 orders
    assert test["p"] == test["p_holm"] == pytest.approx(0.1)
    empty = tests["pos_vs_rand"]
    assert (empty["n_first"], empty["n_second"], empty["p"], empty["p_holm"]) == (0, 5, None, None)


def test_holm_multiplies_the_smallest_p_by_the_number_of_tests_and_never_falls():
    # sorted: .01 * 3 = .03; .02 * 2 = .04; .03 * 1 = .03, not below the one before: .04
    corrected = correct_holm({"a": 0.03, "b": 0.01, "c": None, "d": 0.02})
    assert corrected == {"a": 0.04, "b": 0.03, "c": None, "d": 0.04}
    assert correct_holm({"a": 0.9, "b": 0.6}) == {"a": 1.0, "b": 1.0}
