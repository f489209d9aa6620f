import weakref

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


def draw(talks, labels, sizes, salt, disjoint=False, earlier_turns=0):
    own = [
        (t, {turn: v for (c, turn), v in labels.items() if c == t.conversation_id}) for t in talks
    ]
    return split_by_feedback(own, sizes, salt, disjoint, earlier_turns)


def keys(rows, split=None):
    return [(r["conversation_id"], r["turn"]) for r in rows if split in (None, r["split"])]


def test_a_sub_conversation_is_two_exchanges_in_a_row():
    talk = dialogue("a", "u1", "m1", "u2", "m2", "u3", "m3", user_id="x")
    rows = list(cut_sub_conversations(talk, 0))
    same = {"conversation_id": "a", "user_id": "x", "earlier": []}
    first = {"prompt": "u1", "reply": "m1", "feedback": "u2", "next_reply": "m2"}
    second = {"prompt": "u2", "reply": "m2", "feedback": "u3", "next_reply": "m3"}
    assert rows == [
        {**same, "turn": 1, **first},
        {**same, "turn": 2, **second},
    ]


@pytest.mark.parametrize(
    ("turns", "before_u3"),
    [
        (0, []),
        (1, ["user u2", "assistant m2"]),
        (2, ["user u1", "assistant m1", "user u2", "assistant m2"]),
        (9, ["user u1", "assistant m1", "user u2", "assistant m2"]),
        (None, ["user u1", "assistant m1", "user u2", "assistant m2"]),
    ],
)
def test_as_many_exchanges_go_before_a_sub_conversation_as_are_wished(turns, before_u3):
    talk = dialogue("a", "u1", "m1", "u2", "m2", "u3", "m3", "u4", "m4")
    rows = {row["turn"]: row["earlier"] for row in cut_sub_conversations(talk, turns)}
    assert [f"{m['role']} {m['content']}" for m in rows[3]] == before_u3
    assert rows[1] == []  # nothing goes before u1


@pytest.mark.parametrize("texts", [["u1"], ["u1", "m1"], ["u1", "m1", "u2"]])
def test_less_than_two_exchanges_have_no_sub_conversation(texts):
    assert list(cut_sub_conversations(dialogue("a", *texts), 0)) == []


def test_a_last_turn_without_a_reply_ends_no_sub_conversation():
    rows = cut_sub_conversations(dialogue("a", "u1", "m1", "u2", "m2", "u3"), 0)
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


class Text(str):
    """A text that can be watched: whether anything holds it still."""


def test_as_many_rows_are_held_as_the_sizes_ask_for_however_long_the_log():
    alive, most = weakref.WeakSet(), 0

    def stream():
        nonlocal most
        for number in range(500):
            prompt = Text(f"u{number}")
            alive.add(prompt)
            yield dialogue(f"c{number}", prompt, "m1", "u2", "m2"), {2: "NEG_1"}
            most = max(most, len(alive))

    rows = split_by_feedback(stream(), {"neg": 5, "rand": 8}, "salt", False, 0)
    assert len(rows) == 13
    # twice 5 + 1 and twice 8 + 1 rows, and the conversation at hand with the one before it
    assert most <= 2 * (5 + 1) + 2 * (8 + 1) + 2


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
    assert count_splits(rows) == {"rand": {"rows": 2, "labels": {"unlabeled": 2}, "shared": {}}}


@given(st.tuples(*[st.integers(0, 45)] * 3))
def test_disjoint_splits_are_drawn_in_turn_from_what_is_left(numbers):
    sizes = dict(zip(ALL, numbers, strict=True))
    # the same by drawing all of each split and taking away, without bounds on memory
    whole = draw(TALKS, LABELS, ALL, "salt")
    expected, taken = {}, set()
    for split in ("rand", "pos", "neg"):
        free = [key for key in keys(whole, split) if key[0] not in taken]
        expected[split] = free[: sizes[split]]
        taken |= {name for name, _ in expected[split]}
    rows = draw(TALKS, LABELS, sizes, "salt", disjoint=True)
    assert keys(rows) == [key for split in ALL for key in expected[split]]
    names = [row["conversation_id"] for row in rows]
    assert len(names) == len(set(names))


def test_disjoint_or_not_rand_is_the_same_sample_of_all_conversations():
    sizes = {"neg": 10, "pos": 10, "rand": 20}
    apart, together = (draw(TALKS, LABELS, sizes, "salt", disjoint) for disjoint in (True, False))
    assert keys(apart, "rand") == keys(together, "rand")
    # and splits that are not disjoint have conversations in common
    assert {n for n, _ in keys(together, "rand")} & {n for n, _ in keys(together, "neg")}


@pytest.mark.parametrize("disjoint", [True, False])
@given(st.text(min_size=1), st.sampled_from(FINE))
def test_one_more_conversation_changes_at_most_one_row_of_a_split(disjoint, name, label):
    sizes = {"neg": 10, "pos": 5, "rand": 12}
    before = draw(TALKS, LABELS, sizes, "salt", disjoint)
    added = LABELS | {(f"new {name}", turn): label for turn in (2, 3, 4)}
    after = draw([*TALKS, talk(f"new {name}")], added, sizes, "salt", disjoint)
    for split in sizes:
        old, new = (set(keys(rows, split)) for rows in (before, after))
        assert len(old - new) <= 1 and len(new - old) <= 1


@given(st.integers(0, 45), st.integers(0, 45))
def test_a_smaller_disjoint_split_is_a_part_of_the_larger_where_those_before_it_stay(size, more):
    for split, before in (("rand", {}), ("pos", {"rand": 15}), ("neg", {"rand": 15, "pos": 3})):
        small, large = (
            keys(draw(TALKS, LABELS, before | {split: n}, "salt", disjoint=True), split)
            for n in (size, size + more)
        )
        assert small == large[:size]


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


def counted(split, name, user, label="NEG_1"):
    return {"split": split, "conversation_id": name, "user_id": user, "label": label}


def test_counts_are_by_split_and_label():
    rows = [
        counted(split, "a", None, label)
        for split, label in (("neg", "NEG_1"), ("neg", "NEG_2"), ("neg", "NEG_1"), ("pos", "POS"))
    ]
    assert count_splits(rows) == {
        "neg": {
            "rows": 3,
            "labels": {"NEG_1": 2, "NEG_2": 1},
            "shared": {"pos": {"conversations": 1, "users": 0}},  # nobody knows the user
        },
        "pos": {"rows": 1, "labels": {"POS": 1}, "shared": {}},
    }


def test_counts_tell_what_each_two_splits_share():
    rows = [
        *(counted("neg", *pair) for pair in (("a", "x"), ("b", "x"), ("c", "y"), ("d", None))),
        *(counted("pos", *pair) for pair in (("a", "x"), ("e", "y"))),
        *(counted("rand", *pair) for pair in (("d", None), ("f", "z"), ("e", "y"))),
    ]
    counts = count_splits(rows)
    assert {split: counts[split]["shared"] for split in counts} == {
        "neg": {
            "pos": {"conversations": 1, "users": 2},  # a; x and y
            "rand": {"conversations": 1, "users": 1},  # d; y
        },
        "pos": {"rand": {"conversations": 1, "users": 1}},  # e; y
        "rand": {},
    }


def test_rows_have_the_columns_of_the_table(tmp_path):
    rows = draw(TALKS, LABELS, ALL, "salt", earlier_turns=None)
    assert any(row["earlier"] for row in rows)
    write_rows(rows, tmp_path / "s.parquet", SPLITS)
    assert read_rows(tmp_path / "s.parquet") == rows
