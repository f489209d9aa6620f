import math

import pytest

from dialogues import dialogue
from feedback_lens.feedback.local.exchanges import describe_exchange
from feedback_lens.feedback.local.features import list_exchanges


def describe(*texts):
    """Features of the last user turn of a conversation."""
    return describe_exchange(list(list_exchanges(dialogue("a", *texts)))[-1])


def cues(*texts):
    return {name for name, value in describe(*texts).items() if value is True}


def test_shares_are_of_the_words_with_content():
    found = describe("sort the blue table", "the red table", "red table, blue chair")
    # content: previous {sort, blue, table}, reply {red, table}, turn {red, table, blue, chair}
    assert found["turn_in_previous"] == pytest.approx(2 / 4)  # table, blue
    assert found["turn_in_reply"] == pytest.approx(2 / 4)  # red, table
    assert found["turn_in_both"] == pytest.approx(3 / 4)
    assert found["previous_in_turn"] == pytest.approx(2 / 3)
    assert found["replied_words_asked_for"] == pytest.approx(1 / 2)  # of red, table: table
    assert found["asked_words_replied"] == pytest.approx(1 / 2)  # of table, blue: table
    # pairs of the turn: red table, table ",", ", blue", blue chair
    assert found["pairs_in_previous"] == 0
    assert found["pairs_in_reply"] == pytest.approx(1 / 4)


def test_lengths_are_logarithms_of_tokens():
    found = describe("one two three", "m", "one")
    assert found["turn_length"] == pytest.approx(math.log(2))
    assert found["length_ratio"] == pytest.approx(math.log(2 / 4))


def test_earlier_words_are_of_all_turns_before():
    texts = ("zebra", "m", "lion", "m", "zebra lion tiger wolf")
    assert describe(*texts)["turn_in_earlier"] == pytest.approx(2 / 4)
    assert describe(*texts)["turn_in_previous"] == pytest.approx(1 / 4)
    first, second = list_exchanges(dialogue("a", *texts))
    assert len(first.earlier) == 1 and len(second.earlier) == 2


def test_numbers_are_found_in_reply_and_previous_turn():
    assert {"number", "number_of_reply"} <= cues("add 3 and 4", "8", "8 is not it")
    assert "number_of_previous" not in cues("add 3 and 4", "8", "8 is not it")
    assert {"number", "number_of_previous"} <= cues("add 3 and 4", "eight", "3 and 4")
    assert "number" not in cues("add 3 and 4", "8", "none")


@pytest.mark.parametrize(
    ("reply", "turn", "expected"),
    [
        ("m", "why? which one?", {"question", "ends_in_question", "several_questions"}),
        ("m", "why? tell me", {"question", "begins_with_why", "asks_why"}),
        ("m", "You dropped a row!", {"begins_with_assistant", "addresses_assistant"}),
        ("m", "here I said three", {"claims"}),
        ("m", "thanks, great", {"praises"}),
        ("m", "that isn't it", {"denies"}),
        ("Sorry for that. Which one?", "a", {"reply_apologizes", "reply_ends_in_question"}),
        ("You're right: 3", "a", {"reply_agrees"}),
        ("```a```", "```b```\n...", {"code", "code_in_reply", "lines", "ellipsis"}),
        ("m", 'write "x"!', {"quotes", "exclamation"}),
    ],
)
def test_cues_are_found(reply, turn, expected):
    assert expected <= cues("u", reply, turn)


def test_a_plain_turn_holds_no_cue_and_empty_ones_are_described():
    assert cues("u", "m", "now a poem about cats") == set()
    assert cues("said I", "m", "said I here") == set()  # the claim reads "I said"
    assert all(math.isfinite(value) for value in describe("", "", "").values())
