import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogues import dialogue
from feedback_lens.feedback.gold.published import (
    OUTCOMES,
    Entry,
    align_entries,
    even_blanks,
    read_entries,
)
from feedback_lens.feedback.labels import FINE
from feedback_lens.logs.formats import MalformedRow


def converse(*turns):
    """A conversation of these user turns; one that says nothing of itself is first."""
    texts = [text for turn in ("first", *turns) for text in (turn, "reply")]
    return dialogue("a", *texts)


def align(turns, entries, setting="dense"):
    """Labels by turn, and the outcomes that occur."""
    row = {
        "user_feedback_category": [label for label, _ in entries],
        "user_feedback_text": [text for _, text in entries],
    }
    alignment = align_entries(converse(*turns), read_entries(row), setting)
    occurring = {name: count for name, count in alignment.outcomes.items() if count}
    return {turn: "|".join(labels) for turn, labels in alignment.labels.items()}, occurring


def test_a_dense_list_as_long_as_the_turns_labels_them_one_by_one():
    entries = [("NEU", ""), ("NEG_1", "wrong"), ("NEU", "")]
    labels, outcomes = align(["thanks a lot", "wrong", "next"], entries)
    assert labels == {2: "NEU", 3: "NEG_1", 4: "NEU"}
    assert outcomes == {"placed_by_text": 1, "placed_by_position": 2}


def test_texts_are_equal_up_to_blanks():
    labels, _ = align(["no,  wrong\n", "next"], [("NEG_3", "no, wrong \n"), ("NEU", "")])
    assert labels == {2: "NEG_3", 3: "NEU"}


def test_a_list_that_skips_turns_in_the_middle_leaves_them_without_label():
    turns = ["wrong", "one", "two", "still wrong"]
    labels, outcomes = align(turns, [("NEG_3", "wrong"), ("NEG_1", "still wrong")])
    assert labels == {2: "NEG_3", 5: "NEG_1"}
    assert outcomes == {"placed_by_text": 2}


def test_blank_texts_fill_a_gap_that_they_fit_and_no_other():
    turns = ["one", "wrong", "two", "three", "still wrong", "four"]
    entries = [("NEU", ""), ("NEG_3", "wrong"), ("NEU", ""), ("NEG_1", "still wrong"), ("NEU", "")]
    labels, outcomes = align(turns, entries)
    # turns 4 and 5 have one blank text between them
    assert labels == {2: "NEU", 3: "NEG_3", 6: "NEG_1", 7: "NEU"}
    assert outcomes == {"placed_by_text": 2, "placed_by_position": 2, "uncertain_gap": 1}


def test_a_list_whose_last_entry_stands_twice_counts_it_once():
    entries = [("NEU", ""), ("NEG_1", "again"), ("NEG_1", "again")]
    labels, outcomes = align(["one", "again"], entries)
    assert labels == {2: "NEU", 3: "NEG_1"}
    assert outcomes == {"placed_by_text": 1, "placed_by_position": 1, "repeated": 1}


def test_a_repeat_with_another_label_is_ambiguous():
    labels, outcomes = align(["one", "again"], [("NEG_1", "again"), ("NEG_2", "again")])
    assert labels == {}
    assert outcomes == {"ambiguous": 2}


def test_a_lone_blank_entry_labels_no_turn_of_several():
    labels, outcomes = align(["one", "two", "three"], [("NEU", "")])
    assert labels == {}
    assert outcomes == {"uncertain_gap": 1}


def test_a_user_who_says_the_same_twice_is_labeled_twice():
    turns = ["no, try again", "no, try again"]
    entries = [("NEG_3", "no, try again"), ("NEG_3", "no, try again")]
    for setting in ("dense", "sparse"):
        labels, outcomes = align(turns, entries, setting)
        assert labels == {2: "NEG_3", 3: "NEG_3"}
        assert outcomes == {"placed_by_text": 2}


def test_a_sparse_list_holds_turns_with_feedback_alone():
    turns = ["one", "wrong", "two", "thanks"]
    labels, outcomes = align(turns, [("NEG_3", "wrong "), ("POS", "thanks")], "sparse")
    assert labels == {3: "NEG_3", 5: "POS"}
    assert outcomes == {"placed_by_text": 2}


def test_in_a_sparse_list_a_blank_text_has_no_place():
    labels, outcomes = align(["one"], [("POS", " ")], "sparse")
    assert labels == {}
    assert outcomes == {"blank": 1}


def test_one_of_two_equal_turns_is_not_guessed():
    labels, outcomes = align(["again", "again", "thanks"], [("NEG_1", "again")], "sparse")
    assert labels == {}
    assert outcomes == {"ambiguous": 1}


def test_a_text_of_no_turn_after_the_first_is_not_found():
    labels, outcomes = align(["one"], [("NEG_1", "first")], "sparse")
    assert labels == {}
    assert outcomes == {"not_found": 1}


def test_a_text_that_is_not_found_makes_the_blanks_beside_it_uncertain():
    entries = [("NEU", ""), ("NEG_1", "something else")]
    assert align(["one", "two"], entries) == ({}, {"not_found": 1, "uncertain_gap": 1})


@pytest.mark.parametrize("dual", ["POS|NEG_2", "POS, NEG_2", ["POS", "NEG_2"]])
def test_dual_labels_are_lists_or_one_string(dual):
    labels, _ = align(["good, but 5"], [(dual, "good, but 5")])
    assert labels == {2: "POS|NEG_2"}


@pytest.mark.parametrize("label", ["NEG_9", "", None, [], ["NEG_1", 3], 4])
def test_an_unknown_label_is_counted_and_keeps_its_place(label):
    entries = [(label, "wrong"), ("NEU", "")]
    assert align(["wrong", "next"], entries) == (
        {3: "NEU"},
        {"unknown_label": 1, "placed_by_position": 1},
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "labels_are_no_list"),
        ({"user_feedback_category": "NEU", "user_feedback_text": []}, "labels_are_no_list"),
        (
            {"user_feedback_category": ["NEU"], "user_feedback_text": []},
            "labels_and_texts_differ_in_number",
        ),
        (
            {"user_feedback_category": ["NEU"], "user_feedback_text": [3]},
            "labeled_text_is_no_text",
        ),
    ],
)
def test_a_row_without_readable_labels_is_malformed(row, reason):
    with pytest.raises(MalformedRow, match=f"^{reason}$"):
        read_entries(row)


def test_a_null_text_is_blank():
    row = {"user_feedback_category": ["NEU"], "user_feedback_text": [None]}
    assert read_entries(row) == [Entry(("NEU",), "")]


def test_text_that_cannot_be_written_is_compared_as_the_log_writes_it():
    assert even_blanks("a\ud800\u2028b ") == "a? b"


words = st.sampled_from(["", "again", "thanks", "no"])


@given(
    st.lists(words.filter(bool), min_size=1, max_size=6),
    st.lists(st.tuples(st.sampled_from(FINE), words), max_size=7),
    st.sampled_from(["dense", "sparse"]),
)
def test_each_entry_has_one_outcome_and_a_label_stands_at_its_own_text(turns, entries, setting):
    row = {
        "user_feedback_category": [label for label, _ in entries],
        "user_feedback_text": [text for _, text in entries],
    }
    alignment = align_entries(converse(*turns), read_entries(row), setting)
    assert set(alignment.outcomes) == set(OUTCOMES)
    assert sum(alignment.outcomes.values()) == len(entries)
    placed = alignment.outcomes["placed_by_text"] + alignment.outcomes["placed_by_position"]
    assert len(alignment.labels) == placed
    for turn, (label,) in alignment.labels.items():
        assert (label, turns[turn - 2]) in entries or (label, "") in entries


@given(st.lists(st.tuples(st.sampled_from(FINE), words.filter(bool)), min_size=1, max_size=6))
def test_a_whole_dense_list_labels_every_turn_whatever_users_repeat(spoken):
    entries = [("NEU", "") if label == "NEU" else (label, text) for label, text in spoken]
    labels, _ = align([text for _, text in spoken], entries)
    assert labels == {turn: label for turn, (label, _) in enumerate(spoken, start=2)}
