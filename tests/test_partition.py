from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.training.partition import choose_held_out

NAMES = [f"conversation {number}" for number in range(40)]


def test_exactly_the_share_is_held_out_rounded() -> None:
    assert len(choose_held_out(NAMES, 0.2)) == 8
    assert len(choose_held_out(NAMES[:6], 0.2)) == 1  # 1.2
    assert choose_held_out(NAMES, 0.0) == set()
    assert choose_held_out(NAMES, 1.0) == set(NAMES)


def test_a_conversation_counts_once_however_many_rows_it_has() -> None:
    assert choose_held_out(NAMES * 3, 0.2) == choose_held_out(NAMES, 0.2)


@given(st.sets(st.text(), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_out_what_a_smaller_one_does(
    names: set[str], one: float, other: float
) -> None:
    assert choose_held_out(names, min(one, other)) <= choose_held_out(names, max(one, other))


@given(st.sets(st.text(), min_size=1), st.text(), st.floats(0, 1))
def test_one_more_conversation_moves_at_most_one_other(
    names: set[str], new: str, share: float
) -> None:
    before, after = choose_held_out(names, share), choose_held_out(names | {new}, share)
    assert len((before ^ after) - {new}) <= 1
