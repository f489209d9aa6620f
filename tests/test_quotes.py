import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogues import dialogue
from feedback_lens.feedback.prompted.quotes import fold, place_quotes, unify

TALK = dialogue(
    "a",
    "Who wrote the novel Effi Briest?",
    "Thomas Mann wrote it in 1895, in Munich.",
    "No — that’s wrong: it was Theodor Fontane. Please check “before” you answer",
    "You are right, it was Theodor Fontane.",
    "thanks!",
    "You're welcome.",
    "I know. Why did he write it, and where did he live then? Tell me all of it.",
    "He lived in Berlin.",
    "Thanks",
    "Gladly.",
    "谢谢你，很好",
    "...",
    "?!",
)
# the numbers of the turns: 2 no, 3 and 5 thanks, 4 I know, 6 Chinese, 7 ?!


def place(*quotes, talk=TALK):
    return place_quotes(quotes, talk)


@pytest.mark.parametrize(
    ("quote", "turn"),
    [
        ("No — that’s wrong: it was Theodor Fontane. Please check “before” you answer", 2),
        ('no - that\'s wrong: it was  Theodor\nFontane. please check "before" you answer.', 2),
        ("ＮＯ — that's wrong: it was Theodor Fontane. Please check «before» you answer…", 2),
        (
            "No \u2014 that\u200b's wrong: it was Theodor Fontane. Please check 'before' you answer",
            2,
        ),
        (" I know. Why did he write it, and where did he live then? Tell me all of it.\n", 4),
        ("谢谢你，很好", 6),
        ("?!", 7),
    ],
)
def test_a_quotation_is_of_the_turn_that_it_equals_but_for_its_looks(quote, turn):
    assert place(quote) == [turn]


@pytest.mark.parametrize(
    ("quote", "turn"),
    [
        ("No — that's wrong", 2),
        ("that's wrong...", 2),
        ("Why did he write it", 4),
        ("I know. ... Tell me all of it", 4),
        ("I know [...] where did he live then?", 4),
        ("Please check", 2),
    ],
)
def test_a_part_is_of_the_turn_that_holds_it(quote, turn):
    assert place(quote) == [turn]


@pytest.mark.parametrize(
    ("quote", "turn"),
    [
        ("No that's wrong it was Teodor Fontane. Please check before you answer", 2),
        ("I know. Why did he write this, and where did he", 4),  # a beginning, misquoted
        ("I know. Why did he write it, and where did he li", 4),  # cut within a word
    ],
)
def test_a_misquotation_is_of_the_turn_that_it_is_close_to(quote, turn):
    assert place(quote) == [turn]


@pytest.mark.parametrize(
    "quote",
    [
        "Who wrote the novel Effi Briest?",
        "who wrote the novel",
        "Who wrote the novel Effy Briest",
        "You're welcome",
        "Thomas Mann wrote it in 1895",
    ],
)
def test_a_quotation_of_the_first_turn_or_of_a_reply_is_extra(quote):
    assert place(quote) == ["extra"]


@pytest.mark.parametrize(
    "quote", ["", "  ", "Nobody said this.", "kno", "Tell me all of it ... I know", "!!!"]
)
def test_what_fits_nothing_is_not_placed(quote):
    assert place(quote) == ["unplaced"]


def test_a_word_within_another_is_no_quotation():
    talk = dialogue("a", "u1", "m1", "now I know", "m2", "no", "m3", "nowadays, reknown")
    assert place("no", talk=talk) == [3]
    assert place("know I", "now I know", talk=talk) == ["unplaced", 2]
    assert place("nowadays, re", talk=talk) == ["unplaced"]


SYDNEY = dialogue(
    "a", "what is the capital?", "It is Sydney, of course", "Sydney? ok, and 2+2", "4", "?"
)


@pytest.mark.parametrize("quote", ["Sydney", "ok", "2", "and 2+2", "and"])
def test_a_short_part_of_a_turn_is_ambiguous(quote):
    assert place(quote, talk=SYDNEY) == ["ambiguous"]


@pytest.mark.parametrize("quote", ["wrong", "很好", "you", "no ... it ... check"])
def test_short_parts_are_ambiguous_however_many(quote):
    assert place(quote) == ["ambiguous"]


def test_eight_characters_are_enough_and_four_as_wide_as_two():
    talk = dialogue("a", "u1", "m1", "but that is wrong, 这个答案不对", "m2", "?")
    assert place("is wron", "is wrong", "个答案", "这个答案", talk=talk) == [
        "unplaced",
        2,
        "ambiguous",
        2,
    ]


def test_a_short_first_sentence_is_of_its_turn_where_nobody_else_says_it():
    said = ["Is it Bonn?", "It is Berlin.", "Why? I was told otherwise", "m", "no!\nit's Bonn"]
    assert place("Why?", "no", talk=dialogue("a", *said)) == [2, 3]
    told = ["Why is it Bonn?", "That is no easy question.", *said[2:]]
    assert place("Why?", "no", talk=dialogue("a", *told)) == ["ambiguous"] * 2


@pytest.mark.parametrize(
    ("first", "reply"),
    [
        ("is the answer Bonn then", "It is Berlin."),
        ("is the answer Bonn then?", "No."),
        ("u1", "You ask: is the answer Bonn then?"),
    ],
)
def test_a_part_that_the_first_turn_or_a_reply_holds_too_is_ambiguous(first, reply):
    talk = dialogue("a", first, reply, "tell me: is the answer Bonn then, or what")
    assert place("is the answer Bonn then", talk=talk) == ["ambiguous"]


QUESTION = "How do I fix my python code?"


@pytest.mark.parametrize(
    "repeated",
    [
        f"{QUESTION} it still fails",
        f"{QUESTION}\nit still fails",
        "how do I fix my python code\nit still fails",
        f"{QUESTION}它还是不行",
    ],
)
def test_a_repeated_question_at_the_beginning_of_one_later_turn_is_of_that_turn(repeated):
    for first in (QUESTION, f"Hello. {QUESTION} Thank you"):
        talk = dialogue("a", first, "Show it to me.", "print(1", "Close it.", repeated)
        assert place(QUESTION, talk=talk) == [3]


@pytest.mark.parametrize(
    "later",
    [
        ["How do I fix my python code.py"],  # the sentence goes on
        ["How do I fix my python code, it still fails"],
        [f"again: {QUESTION} it fails"],
        [f"{QUESTION} it fails", "m", f"{QUESTION} I ask again"],
    ],
)
def test_a_repeated_question_is_ambiguous_where_no_one_turn_begins_with_it(later):
    talk = dialogue("a", QUESTION, "Show it to me.", *later)
    assert place(QUESTION, talk=talk) == ["ambiguous"]


def test_equal_turns_are_taken_in_order_where_the_quotations_are_as_many():
    assert place("Thanks", "I know", "thanks.") == [3, 4, 5]
    assert place("thanks") == ["ambiguous"]
    assert place("thanks", "thanks", "thanks") == ["ambiguous"] * 3


def test_two_quotations_of_one_turn_are_both_of_it():
    assert place("?!", "?!") == [7, 7]
    assert place("I know", "I know", "tell me all of it") == [4, 4, 4]


def test_a_part_that_several_turns_hold_is_ambiguous():
    talk = dialogue("a", "u1", "m1", "no, make it shorter", "m2", "no, make it longer")
    assert place("no, make it", talk=talk) == ["ambiguous"]


def test_a_misquotation_close_to_two_turns_is_ambiguous():
    talk = dialogue(
        "a", "u1", "m1", "make the second part shorter", "m", "make the second part short"
    )
    assert place("make the secnd part shorte", talk=talk) == ["ambiguous"]


def test_a_misquotation_that_is_closer_to_the_first_turn_is_not_placed():
    talk = dialogue("a", "what is the capital of peru", "m", "what is the capital city of peru")
    assert place("what ist the capital of peru", talk=talk) == ["ambiguous"]


def test_a_repeated_request_is_the_later_turn_s():
    talk = dialogue("a", "what is the capital of peru", "m", "What is the capital of Peru?")
    assert place("what is the capital of peru", talk=talk) == [2]


@given(st.text())
def test_folding_is_the_same_the_second_time(text):
    assert fold(unify(text)) == fold(text)


TEXTS = st.text(alphabet='ab .?!…\u200b‘’"', max_size=12)


@given(st.lists(TEXTS, min_size=1, max_size=9), st.lists(TEXTS, max_size=4))
def test_a_quotation_is_placed_on_a_turn_after_the_first_or_nowhere(said, quotes):
    places = place(*quotes, talk=dialogue("a", *said))
    turns = (len(said) + 1) // 2
    assert all(p in ("extra", "unplaced", "ambiguous") or 2 <= p <= turns for p in places)


@given(st.lists(st.text(alphabet="ab ", min_size=1, max_size=6), min_size=3, max_size=9))
def test_the_turns_themselves_are_each_placed_where_they_are(said):
    talk = dialogue("a", *said)
    quotes = [text for text in talk.user_turns[1:] if fold(text)]
    expected = [turn for turn, text in enumerate(talk.user_turns, 1) if turn > 1 and fold(text)]
    assert place(*quotes, talk=talk) == expected
