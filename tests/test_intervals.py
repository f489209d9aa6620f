from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from feedback_lens.analysis.intervals import (
    count_effective_trials,
    draw_weights,
    estimate_share,
    percentile_interval,
    resample_totals,
    wilson_interval,
)


def array(*numbers):
    return np.array(numbers, dtype=np.int64)


def test_totals_in_parts_are_those_of_all_weights_at_once():
    # 50,000 units allow 80 resamples at once, so 100 come in two parts
    values = np.arange(100_000, dtype=float).reshape(50_000, 2)
    weights = draw_weights(50_000, 100, np.random.default_rng(4))
    totals = resample_totals(values, 100, np.random.default_rng(4))
    assert totals.shape == (100, 2)
    assert np.array_equal(totals, weights @ values)


def test_units_of_the_same_value_are_drawn_by_their_number():
    # 1 of 4 units is 8, so a total is 8 times a binomial of 4 draws at 1/4: mean 8, variance 48
    values, counts = np.array([0.0, 8.0]), array(3, 1)
    totals = resample_totals(values, 20_000, np.random.default_rng(1), counts)
    assert set(totals) == {0, 8, 16, 24, 32}
    assert (totals.mean(), totals.var()) == (pytest.approx(8, abs=0.2), pytest.approx(48, abs=2))


def test_percentiles_leave_out_what_is_no_number():
    # 0 to 100: the 2.5th percentile is 2.5
    assert percentile_interval(np.array([*range(101), np.nan])) == (2.5, 97.5)
    assert percentile_interval(np.array([np.nan])) == (None, None)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_s_interval_equals_scipy_s(counts):
    successes, trials = counts
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson_interval(successes / trials, trials) == pytest.approx(tuple(expected), abs=1e-12)


def test_trials_of_their_own_clusters_all_count():
    assert count_effective_trials(array(1, 0, 1, 0, 0), array(1, 1, 1, 1, 1)) == pytest.approx(5)


def test_alike_trials_of_a_cluster_count_for_less():
    # 4 clusters of 3 trials, two of all hits and two of none: share 1/2 of 12.
    # scatter 4 * 1.5^2 = 9; robust variance 4/3 * 9 / 144 = 1/12; independent 1/4 / 11 = 1/44;
    # design effect 44/12 = 11/3; 12 / (11/3) = 36/11
    effective = count_effective_trials(array(3, 3, 0, 0), array(3, 3, 3, 3))
    assert effective == pytest.approx(36 / 11)


# with a pseudo-success and a pseudo-failure: 1 of 12 trials in 7 clusters. scatter
# (11/12)^2 + 5 (2/12)^2 + (1/12)^2 = (121 + 20 + 1) / 144 = 71/72; robust variance
# 7/6 * 71/72 / 144; independent 1/12 * 11/12 / 11 = 1/144; design effect 7/6 * 71/72 = 497/432
@pytest.mark.parametrize("hits", [(1, 1, 1, 1, 2), (1, 1, 1, 1, 1), (0,) * 5, (2,) * 5])
def test_clusters_that_show_no_likeness_have_the_design_effect_of_pseudo_trials(hits):
    effective = count_effective_trials(array(*hits), array(2, 2, 2, 2, 2))
    assert effective == pytest.approx(10 / (497 / 432))


def test_the_upper_end_does_not_fall_when_a_first_success_is_found():
    sizes = np.full(40, 10)
    ends = [
        estimate_share(np.array([hits] + [0] * 39), sizes)["high"] for hits in (0, 1, 2, 3, 5, 10)
    ]
    assert ends == sorted(ends)
    # with a pseudo-success and a pseudo-failure 1 of 402: independent variance 1 / 402^2, robust
    # 42/41 * ((401^2 + 40 * 10^2 + 1) / 402^2) / 402^2, so design effect 1.0447; none of
    # 400 / 1.0447: 3.8415 / (382.88 + 3.8415)
    assert ends[0] == pytest.approx(0.009933, abs=1e-6)


SIZES = st.lists(st.integers(1, 4) | st.integers(1, 300), min_size=1, max_size=8)


@given(SIZES, st.data())
def test_one_success_more_than_none_or_one_less_than_all_moves_the_ends_its_way(sizes, data):
    trials, one = array(*sizes), array(*[0] * len(sizes))
    one[data.draw(st.integers(0, len(sizes) - 1))] = 1
    none, first = estimate_share(0 * trials, trials), estimate_share(one, trials)
    every, last = estimate_share(trials, trials), estimate_share(trials - one, trials)
    assert first["high"] >= none["high"] - 1e-12
    assert last["low"] <= every["low"] + 1e-12


def test_one_cluster_counts_as_one_trial():
    assert count_effective_trials(array(3), array(10)) == 1
    share = estimate_share(array(3), array(10))
    # Wilson at 0.3 of one trial: z^2 = 3.8415; (0.3 + 1.9207 -+ z sqrt(0.21 + 0.9604)) / 4.8415
    half = 1.959964 * sqrt(0.21 + 0.960365)
    assert share["low"] == pytest.approx((2.220729 - half) / 4.841459, abs=1e-5)
    assert share["high"] == pytest.approx((2.220729 + half) / 4.841459, abs=1e-5)


def test_clusters_without_trials_do_not_count():
    some = estimate_share(array(1, 0), array(1, 1))
    assert estimate_share(array(1, 0, 0, 0), array(1, 1, 0, 0)) == some
    assert estimate_share(array(0, 0), array(0, 0)) == {"share": None, "low": None, "high": None}


counts = st.lists(
    st.integers(0, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=12
)


@given(counts)
def test_a_share_lies_in_its_interval_and_that_between_0_and_1(clusters):
    hits, sizes = (array(*(pair[place] for pair in clusters)) for place in (0, 1))
    found = estimate_share(hits, sizes)
    if found["share"] is None:
        assert sizes.sum() == 0
    else:
        assert 0 <= found["low"] <= found["share"] <= found["high"] <= 1


@pytest.mark.parametrize(
    ("share", "alike"), [(0.01, 0.01), (0.01, 0.1), (0.005, 0.2), (0.25, 0.01), (0.5, 0.6)]
)
def test_intervals_cover_rare_and_common_shares(share, alike):
    # 600 logs of 60 clusters of 8; `alike` is the correlation of two trials of a cluster
    strength = 1 / alike - 1
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(600):
        shares = generator.beta(share * strength, (1 - share) * strength, size=60)
        found = estimate_share(generator.binomial(8, shares), np.full(60, 8))
        covered += found["low"] <= share <= found["high"]
    assert 0.9 <= covered / 600 <= 0.98


def test_intervals_cover_the_share_where_trials_of_a_cluster_are_alike():
    # 300 logs of 60 clusters of 8 trials; each cluster's own share is Beta(1, 3), so 1/4 in all
    generator = np.random.default_rng(7)
    covered = naive = 0
    for _ in range(300):
        hits = generator.binomial(8, generator.beta(1, 3, size=60))
        found = estimate_share(hits, np.full(60, 8))
        covered += found["low"] <= 0.25 <= found["high"]
        low, high = wilson_interval(hits.sum() / 480, 480)
        naive += low <= 0.25 <= high
    assert 0.92 <= covered / 300 <= 0.98
    # as if all trials were independent
    assert naive / 300 < 0.85
