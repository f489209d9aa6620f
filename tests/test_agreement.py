import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from feedback_lens.feedback.agreement import (
    coarsen_tables,
    cohen_kappa,
    kappa_interval,
    list_accuracies,
    list_kappas,
    list_macro_f1s,
    measure_agreement,
    resample_tables,
)
from feedback_lens.feedback.evaluation import view
from feedback_lens.feedback.labels import FINE, GRANULARITIES


def test_kappa_corrects_agreement_for_chance():
    # 3 of 4 agree; chance (2/4 * 1/4) + (2/4 * 3/4) = 1/2; (3/4 - 1/2) / (1 - 1/2) = 1/2
    assert cohen_kappa(["a", "a", "b", "b"], ["a", "b", "b", "b"]) == pytest.approx(0.5)


def test_kappa_of_one_single_label_is_null():
    assert cohen_kappa(["NEU", "NEU"], ["NEU", "NEU"]) is None


annotations = st.lists(
    st.tuples(st.sampled_from(FINE), st.sampled_from(FINE), st.sampled_from("abcde")),
    min_size=2,
    max_size=40,
)


@given(annotations)
def test_kappa_is_symmetric_and_at_most_one(turns):
    first, second, _ = zip(*turns, strict=True)
    kappa = cohen_kappa(first, second)
    if kappa is not None:
        assert kappa <= 1 + 1e-12
        assert kappa == pytest.approx(cohen_kappa(second, first))
        assert (kappa > 1 - 1e-12) == (first == second)


@settings(max_examples=30, deadline=None)
@given(annotations)
def test_intervals_do_not_depend_on_the_order_of_turns(turns):
    forward, backward = zip(*turns, strict=True), zip(*reversed(turns), strict=True)
    one = kappa_interval(*forward, resamples=50, seed=3)
    assert one == pytest.approx(kappa_interval(*backward, resamples=50, seed=3))


def test_resampled_kappas_are_those_of_the_drawn_conversations():
    # Each of two conversations alone, or both: the interval's ends are the extreme kappas.
    first = ["a", "a", "b", "b", "a", "b", "a", "b"]
    second = ["a", "a", "b", "b", "b", "b", "a", "a"]
    conversations = ["x"] * 4 + ["y"] * 4
    low, high = kappa_interval(first, second, conversations, resamples=400, seed=1)
    assert low == pytest.approx(cohen_kappa_score(first[4:], second[4:]))  # 0
    assert high == pytest.approx(cohen_kappa_score(first[:4], second[:4]))  # 1
    # accuracy: y alone 2/4, x alone 4/4, both 6/8
    tables = resample_tables(first, second, conversations, ["a", "b"], resamples=400, seed=1)
    assert set(list_accuracies(tables)) == {0.5, 0.75, 1.0}


def test_the_seed_decides_the_interval():
    first, second = FINE * 4, (*FINE[1:], FINE[0], *FINE * 3)
    names = [str(index // 2) for index in range(24)]
    assert kappa_interval(first, second, names, 99, 1) == kappa_interval(
        first, second, names, 99, 1
    )
    assert kappa_interval(first, second, names, 99, 1) != kappa_interval(
        first, second, names, 99, 2
    )


def test_one_conversation_has_no_interval():
    assert kappa_interval(["a", "b"], ["a", "b"], ["x", "x"], 10, 1) == (None, None)


labels = st.sampled_from((*FINE, None))
turns = st.lists(st.tuples(st.sampled_from(FINE), labels), min_size=1, max_size=30)


def tabulate(pairs):
    classes = (*FINE, None)
    table = np.zeros((1, len(classes), len(classes)))
    for one, other in pairs:
        table[0, classes.index(one), classes.index(other)] += 1
    return table, classes


@given(turns)
def test_measures_of_a_table_equal_scikit_learn_s_at_every_granularity(pairs):
    table, classes = tabulate(pairs)
    for granularity, coarse in GRANULARITIES.items():
        actual, found = (view(side, granularity) for side in zip(*pairs, strict=True))
        seen = coarsen_tables(table, classes, granularity)
        assert list_accuracies(seen)[0] == pytest.approx(accuracy_score(actual, found))
        used = [name for name in coarse if name in {*actual, *found}]
        f1 = f1_score(actual, found, labels=used, average="macro", zero_division=0)
        assert list_macro_f1s(seen, len(coarse))[0] == pytest.approx(f1)
        if len({*actual, *found}) > 1:
            kappa = cohen_kappa_score(actual, found)
            assert list_kappas(seen)[0] == pytest.approx(kappa, abs=1e-12)


def test_agreement_is_measured_at_three_granularities():
    first = ["NEG_1", "NEG_1", "POS", "NEU", "NEU", "NEG_2"]
    second = ["NEG_2", "NEG_1", "POS", "NEU", "NEG_4", "NEG_2"]
    measured = measure_agreement(first, second, list("uvwxyz"), resamples=200, seed=1)
    for granularity in GRANULARITIES:
        sides = view(first, granularity), view(second, granularity)
        assert measured[granularity]["kappa"] == pytest.approx(cohen_kappa_score(*sides))
        # the same draws as where a granularity is drawn alone
        interval = kappa_interval(*sides, list("uvwxyz"), 200, 1)
        found = measured[granularity]["low"], measured[granularity]["high"]
        assert found == pytest.approx(interval)
    # three-way: 5 of 6 agree; chance NEG 3/6 * 4/6 + POS 1/6 * 1/6 + NEU 2/6 * 1/6 = 15/36;
    # (30/36 - 15/36) / (21/36) = 15/21
    assert measured["three_way"]["kappa"] == pytest.approx(15 / 21)


def test_no_turns_have_no_agreement():
    nothing = {"kappa": None, "low": None, "high": None}
    assert measure_agreement([], [], [], 20, 1) == dict.fromkeys(GRANULARITIES, nothing)


def test_a_resampled_table_holds_whole_conversations():
    # x has three turns (1, 0), y one (0, 0): every table has 2 draws of x and y
    tables = resample_tables(
        ["b", "b", "b", "a"], ["a", "a", "a", "a"], list("xxxy"), ["a", "b"], 50, 1
    )
    drawn = {(table[1, 0], table[0, 0]) for table in tables}
    assert drawn == {(6, 0), (3, 1), (0, 2)}


def test_a_thousand_resamples_of_many_conversations_stay_in_bounded_memory():
    import tracemalloc

    turns = 30_000
    generator = np.random.default_rng(1)
    first, second = (list(np.array(FINE)[generator.integers(6, size=turns)]) for _ in range(2))
    conversations = [str(turn // 3) for turn in range(turns)]
    tracemalloc.start()
    measured = measure_agreement(first, second, conversations, resamples=1000, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # all weights at once would be 1,000 x 10,000 x 8 bytes twice over, 160 MB
    assert peak < 100e6
    assert measured["fine"]["low"] < measured["fine"]["kappa"] < measured["fine"]["high"]
