from collections import Counter

import pytest

from feedback_lens.feedback.prompted.reading import Reading, Verdict, merge_draws, unreadable


def draw(label, confidence=None, listed=True):
    return Reading("answered", 2, {2: Verdict(label, listed, confidence)})


LOST = unreadable(2)


@pytest.mark.parametrize(
    ("draws", "label", "confidence"),
    [
        (["POS", "NEU", "POS"], "POS", 2 / 3),
        (["NEU", "POS", "POS", "NEU"], "NEU", 2 / 4),  # of equals the earliest draw's
        (["POS", "NEG_1", "NEU"], "POS", 1 / 3),
        (["NEU", "NEU"], "NEU", 1.0),
    ],
)
def test_most_draws_decide_and_their_share_is_the_confidence(draws, label, confidence):
    found = merge_draws([draw(name, 0.9) for name in draws], 2)
    assert (found["label"], found["outcome"]) == (label, "answered")
    assert found["confidence"] == pytest.approx(confidence)


def test_one_draw_keeps_the_probability_of_its_tokens():
    assert merge_draws([draw("POS", 0.25)], 2)["confidence"] == 0.25
    assert merge_draws([draw("POS")], 2)["confidence"] is None


def test_draws_that_cannot_be_read_have_no_vote():
    found = merge_draws([LOST, draw("POS"), Reading("refused", 2), draw("NEU"), draw("POS")], 2)
    # two of the three that can
    assert (found["label"], found["confidence"]) == ("POS", pytest.approx(2 / 3))
    # the one vote of two draws is all votes; what its tokens say does not count
    assert merge_draws([LOST, draw("POS", 0.2)], 2)["confidence"] == 1.0


@pytest.mark.parametrize(
    ("draws", "outcome"),
    [
        ([LOST, Reading("refused", 2)], "unreadable"),
        ([Reading("cut_off", 2), LOST], "cut_off"),
    ],
)
def test_where_no_draw_can_be_read_the_first_tells_why(draws, outcome):
    lost = {"label": None, "confidence": None, "listed": False, "outcome": outcome}
    assert merge_draws(draws, 2) == lost


def test_a_turn_is_listed_where_the_draw_that_decides_lists_it():
    silent = draw("NEU", listed=False)
    assert merge_draws([silent, draw("POS"), silent], 2)["listed"] is False
    assert merge_draws([draw("POS"), silent, draw("POS")], 2)["listed"] is True


def test_a_reading_is_readable_where_every_turn_after_the_first_has_a_verdict():
    verdict = Verdict("NEU", True, None)
    assert Reading("answered", 3, {2: verdict, 3: verdict}).is_readable
    assert not Reading("answered", 3, {3: verdict}).is_readable
    assert Reading("refused", 3).is_readable
    assert not LOST.is_readable and LOST.alignment == Counter(unreadable_replies=1)
