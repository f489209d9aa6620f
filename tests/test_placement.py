from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.feedback.gold.placement import place_in_order


def test_items_stand_where_their_equals_do():
    assert place_in_order(["b", "d"], ["a", "b", "c", "d"]) == {0: 1, 1: 3}


def test_equal_items_are_placed_in_order_where_there_are_as_many():
    assert place_in_order(["again", "again"], ["again", "no", "again"]) == {0: 0, 1: 2}


def test_an_item_that_may_stand_twice_is_not_placed():
    assert place_in_order(["again", "b"], ["again", "again", "b"]) == {1: 2}


def test_an_item_between_others_is_placed_by_them():
    # "again" stands four times, between a and b but once
    line = ["again", "a", "again", "b", "again", "again"]
    assert place_in_order(["a", "again", "b"], line) == {0: 1, 1: 2, 2: 3}


def test_of_items_in_the_other_order_none_is_certain():
    assert place_in_order(["b", "a"], ["a", "b"]) == {}


def test_nothing_stands_nowhere():
    assert place_in_order([], ["a"]) == {}
    assert place_in_order(["a"], []) == {}


letters = st.lists(st.sampled_from("abc"), max_size=6)


@given(letters, letters)
def test_places_are_those_that_all_longest_alignments_share(items, line):
    alignments = [
        dict(zip(kept, taken, strict=True))
        for size in range(min(len(items), len(line)) + 1)
        for kept in combinations(range(len(items)), size)
        for taken in combinations(range(len(line)), size)
        if [items[i] for i in kept] == [line[j] for j in taken]
    ]
    longest = [a for a in alignments if len(a) == max(map(len, alignments))]
    shared = set.intersection(*(set(alignment.items()) for alignment in longest))
    assert place_in_order(items, line) == dict(shared)
