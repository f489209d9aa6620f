import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import FINE, NEGATIVE
from feedback_lens.tables import read_rows, write_rows
from feedback_lens.training.splits import (
    SPLITS,
    count_splits,
    cut_sub_conversations,
    pair_with_labels,
    split_by_feedback,
)

ALL = {"neg": 1000, "pos": 1000, "rand": 1000}


def talk(name, turns=4):
    return dialogue(name, *(f"{side}{i} of {name}" for i in range(1, turns + 1) for side in "um"))


TALKS = [talk(f"c{number}") for number in range(40)]
# turns 2, 3 and 4 of each conversation; every fifth conversation is NEU throughout
LABELS = {
    (f"c{n}", turn): "NEU" if n % 5 == 0 else FINE[(n + turn) % len(FINE)]
    for n in range(40)
    for turn in (2, 3, 4)
}


def draw(talks, labels, sizes, salt):
    own = [
        (t, {turn: v for (c, turn), v in labels.items() if c == t.conversation_id}) for t in talks
    ]
    return split_by_feedback(own, sizes, salt)


def keys(rows, split=None):
    return [(r["conversation_id"], r["turn"]) for r in rows if split in (None, r["split"])]


def test_a_sub_conversation_is_two_exchanges_in_a_row():
    rows = list(cut_sub_conversations(dialogue("a", "u1", "m1", "u2", "m2", "u3", "m3")))
    first = {"prompt": "u1", "reply": "m1", "feedback": "u2", "next_reply": "m2"}
    second = {"prompt": "u2", "reply": "m2", "feedback": "u3", "next_reply": "m3"}
    assert rows == [
        {"conversation_id": "a", "turn": 1, **first},
        {"conversation_id": "a", "turn": 2, **second},
    ]


@pytest.mark.parametrize("texts", [["u1"], ["u1", "m1"], ["u1", "m1", "u2"]])
def test_less_than_two_exchanges_have_no_sub_conversation(texts):
    assert list(cut_sub_conversations(dialogue("a", *texts))) == []


def test_a_last_turn_without_a_reply_ends_no_sub_conversation():
    rows = cut_sub_conversations(dialogue("a", "u1", "m1", "u2", "m2", "u3"))
    assert [row["turn"] for row in rows] == [1]


def test_each_split_holds_the_feedback_it_is_named_for():
    rows = draw(TALKS, LABELS, ALL, "salt")
    for row in rows:
        # the label is that of the turn that answers the reply
        assert row["label"] == LABELS[row["conversation_id"], row["turn"] + 1]
        allowed = {"neg": NEGATIVE, "pos": ("POS",), "rand": FINE}[row["split"]]
        assert row["label"] in allowed
    # all conversations are in rand; those that are NEU throughout in no other
    assert len(keys(rows, "rand")) == 40
    neutral = {f"c{n}" for n in range(0, 40, 5)}
    assert neutral.isdisjoint(name for split in ("neg", "pos") for name, _ in keys(rows, split))


def test_a_conversation_stands_at_most_once_in_a_split():
    rows = draw(TALKS, LABELS, ALL, "salt")
    for split in ALL:
        names = [name for name, _ in keys(rows, split)]
        assert len(names) == len(set(names))


def test_adding_conversations_reshuffles_nothing():
    sizes = {"neg": 10, "pos": 5, "rand": 20}
    few = draw(TALKS, LABELS, sizes, "salt")
    more = {("new", 2): "NEG_1", ("new", 3): "POS"}
    many = draw([talk("new"), *TALKS[::-1]], LABELS | more, sizes, "salt")
    for split in sizes:
        old = [key for key in keys(many, split) if key[0] != "new"]
        # the newcomer may take the place of the last, the others keep their order
        assert old == keys(few, split)[: len(old)]
        assert len(old) >= sizes[split] - 1


@given(st.integers(0, 45), st.integers(0, 45))
def test_a_smaller_size_is_a_part_of_the_larger_one(size, more):
    small = draw(TALKS, LABELS, dict.fromkeys(ALL, size), "salt")
    large = draw(TALKS, LABELS, dict.fromkeys(ALL, size + more), "salt")
    for split in ALL:
        assert keys(small, split) == keys(large, split)[:size]


def test_another_salt_draws_others():
    sizes = {"neg": 10, "pos": 0, "rand": 10}
    drawn = [keys(draw(TALKS, LABELS, sizes, salt)) for salt in ("a", "a", "b")]
    assert drawn[0] == drawn[1] != drawn[2]


def test_rand_is_drawn_without_regard_to_the_label():
    relabeled = dict.fromkeys(LABELS, "NEU")
    rows, others = (draw(TALKS, labels, {"rand": 15}, "salt") for labels in (LABELS, relabeled))
    assert keys(rows) == keys(others)


def test_an_unreadable_or_missing_label_is_drawn_by_rand_alone():
    rows = draw([talk("a", 2), talk("b", 2)], {("a", 2): None}, ALL, "salt")
    assert {(row["split"], row["label"]) for row in rows} == {("rand", None)}
    assert count_splits(rows) == {"rand": {"rows": 2, "labels": {"unlabeled": 2}}}


def label_rows(*keys):
    return [{"conversation_id": name, "turn": turn, "label": "NEU"} for name, turn in keys]


def test_labels_are_streamed_beside_their_conversations():
    # "b" has a single turn and so no label
    talks = [talk("a", 3), talk("b", 1), talk("c", 2)]
    pairs = pair_with_labels(talks, iter(label_rows(("a", 2), ("a", 3), ("c", 2))))
    assert [(t.conversation_id, labels) for t, labels in pairs] == [
        ("a", {2: "NEU", 3: "NEU"}),
        ("b", {}),
        ("c", {2: "NEU"}),
    ]


@pytest.mark.parametrize("strays", [[("x", 2)], [("c", 2), ("a", 2)]])
def test_labels_of_another_corpus_are_an_error_that_names_one(strays):
    with pytest.raises(InputError, match="dvc repro --force ingest label"):
        list(pair_with_labels([talk("a", 2), talk("c", 2)], iter(label_rows(*strays))))


def test_counts_are_by_split_and_label():
    rows = [
        {"split": split, "label": label}
        for split, label in (("neg", "NEG_1"), ("neg", "NEG_2"), ("neg", "NEG_1"), ("pos", "POS"))
    ]
    assert count_splits(rows) == {
        "neg": {"rows": 3, "labels": {"NEG_1": 2, "NEG_2": 1}},
        "pos": {"rows": 1, "labels": {"POS": 1}},
    }


def test_rows_have_the_columns_of_the_table(tmp_path):
    rows = draw(TALKS, LABELS, ALL, "salt")
    write_rows(rows, tmp_path / "s.parquet", SPLITS)
    assert read_rows(tmp_path / "s.parquet") == rows
