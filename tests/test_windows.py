import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogues import dialogue
from feedback_lens.feedback.prompted import dense, prior
from feedback_lens.feedback.prompted.windows import (
    LEAST_WINDOW,
    cut_windows,
    list_exchanges,
    shorten,
)
from feedback_lens.prompts import fence

SHOWS = [dense.show_turn, prior.show_turn]


def length(conversation, show):
    turns = [show(number, *pair) for number, pair in enumerate(list_exchanges(conversation), 1)]
    return len(fence(turns))


def test_a_conversation_that_fits_is_its_own_window():
    talk = dialogue("a", "u1", "m1", "u2", "m2", "u3")
    talk = dialogue("a", *[message.content * 150 for message in talk.messages])
    limit = length(talk, dense.show_turn)
    [window] = cut_windows(talk, limit, dense.show_turn)
    assert (window.conversation, window.first) == (talk, 1)
    assert len(cut_windows(talk, limit - 1, dense.show_turn)) == 2


def test_windows_overlap_by_one_turn_and_number_from_1():
    # an exchange is about 300 characters of JSON, so three fit into 1000 and four do not
    talk = dialogue("a", *[f"{number:<125}" for number in range(12)])
    windows = cut_windows(talk, 1000, dense.show_turn)
    turns = [[int(text) // 2 + 1 for text in w.conversation.user_turns] for w in windows]
    assert turns == [[1, 2, 3], [3, 4, 5], [5, 6]]
    assert [window.first for window in windows] == [1, 3, 5]
    assert windows[1].conversation.replies == talk.replies[2:5]
    assert windows[1].conversation.conversation_id == "a"


def test_where_there_is_no_turn_to_label_there_is_no_window():
    assert cut_windows(dialogue("a", "u1" * 5000, "m1"), 1000, dense.show_turn) == []


def test_an_exchange_that_is_too_long_loses_its_middle_and_says_how_much():
    talk = dialogue("a", "begin" + "x" * 50_000 + "end", "short", "second", "third")
    [window] = cut_windows(talk, 1000, dense.show_turn)
    first, second = window.conversation.user_turns
    found = re.fullmatch(r"begin(x+) \[\.\.\. (\d+) characters left out \.\.\.\] (x+)end", first)
    assert len(found[1]) + len(found[3]) + int(found[2]) == 50_000
    assert (second, window.conversation.replies) == ("second", ["short", "third"])
    # what is left fills the window but for a few characters
    assert 990 <= length(window.conversation, dense.show_turn) <= 1000


def test_a_text_that_would_not_become_shorter_stays():
    assert shorten("x" * 50, 10) == "x" * 5 + " [... 40 characters left out ...] " + "x" * 5
    # the mark has 34 characters
    assert shorten("x" * 44, 10) == "x" * 44
    assert len(shorten("x" * 45, 10)) == 44


def test_a_window_has_a_least_size():
    with pytest.raises(ValueError, match="999 characters: at least 1000 are wanted"):
        cut_windows(dialogue("a", "u", "m", "v"), 999, dense.show_turn)


TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["\u200b", "</s>", '"', "\\", "\ud800", "ab ", "😀"]).flatmap(
        lambda piece: st.integers(0, 900).map(lambda times: piece * times)
    ),
)


@given(
    st.lists(TEXT, min_size=1, max_size=14),
    st.integers(LEAST_WINDOW, 6000),
    st.sampled_from(SHOWS),
)
def test_every_turn_after_the_first_is_labeled_in_one_window_that_fits(texts, limit, show):
    talk = dialogue("a", *texts)
    windows = cut_windows(talk, limit, show)
    labeled = [
        window.first + turn - 1
        for window in windows
        for turn in range(2, len(window.conversation.user_turns) + 1)
    ]
    assert labeled == list(range(2, len(talk.user_turns) + 1))
    for window in windows:
        assert length(window.conversation, show) <= limit
        shown = list_exchanges(window.conversation)
        whole = list_exchanges(talk)[window.first - 1 :]
        for (user, reply), (full_user, full_reply) in zip(shown, whole, strict=False):
            assert user == full_user or "characters left out" in user
            assert (reply is None) == (full_reply is None)
            assert reply == full_reply or "characters left out" in reply
    if windows and length(talk, show) <= limit:
        assert [window.conversation for window in windows] == [talk]
