import pytest

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.sets import GOLD_LABELS
from feedback_lens.feedback.local.fitting_gold import read_fitting_gold
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.tables import write_rows

KNOWN = ("dense", "one", "other", "sparse", "two")
WHOLE = dialogue("a", "u1", "m1", "u2", "m2", "u3")
CUT = dialogue("a:3", "u2", "m2", "u3")


def write(folder, name, conversations, labels, origins=None):
    """A gold set; `labels` are (annotator, conversation, turn, label), `origins` of cut ones."""
    known = origins or {}
    write_rows(
        (c.as_row() for c in conversations), folder / name / "conversations.parquet", CONVERSATIONS
    )
    names = ("annotator", "conversation_id", "turn", "label")
    rows = [dict(zip(names, row, strict=True)) for row in labels]
    write_rows(
        (
            {
                **row,
                "labels": [row["label"]],
                "log_conversation_id": known.get(row["conversation_id"], row["conversation_id"]),
            }
            for row in rows
        ),
        folder / name / "labels.parquet",
        GOLD_LABELS,
    )


def test_gold_labels_of_the_named_sets_are_read(tmp_path):
    write(tmp_path, "dense", [WHOLE], [("gold", "a", 2, "POS"), ("second", "a", 3, "NEU")])
    write(tmp_path, "other", [dialogue("b", "x", "y", "z")], [("gold", "b", 2, "NEU")])
    write(tmp_path, "unread", [dialogue("c", "x", "y", "z")], [("gold", "c", 2, "NEU")])
    found = read_fitting_gold(tmp_path, ["dense", "other"], KNOWN)
    assert [c.conversation_id for c in found.conversations] == ["a", "b"]
    assert found.conversations[0] == WHOLE
    assert found.labels == {("a", 2): "POS", ("b", 2): "NEU"}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["dense", "sparse"], {("a", 3): "NEG_1", ("a", 2): "NEU"}),
        (["sparse", "dense"], {("a:3", 2): "POS", ("a", 2): "NEU"}),
    ],
)
def test_a_turn_of_two_sets_counts_once_as_the_first_says(tmp_path, order, expected):
    write(tmp_path, "dense", [WHOLE], [("gold", "a", 3, "NEG_1"), ("gold", "a", 2, "NEU")])
    write(tmp_path, "sparse", [CUT], [("gold", "a:3", 2, "POS")], {"a:3": "a"})
    found = read_fitting_gold(tmp_path, order, KNOWN)
    assert found.labels == expected
    assert {c.conversation_id for c in found.conversations} == {"a", "a:3"}


def test_a_conversation_may_stand_in_two_sets(tmp_path):
    write(tmp_path, "one", [WHOLE], [("gold", "a", 2, "POS")])
    write(tmp_path, "two", [WHOLE], [("gold", "a", 2, "NEU"), ("gold", "a", 3, "NEU")])
    found = read_fitting_gold(tmp_path, ["one", "two"], KNOWN)
    assert found.conversations == [WHOLE]
    assert found.labels == {("a", 2): "POS", ("a", 3): "NEU"}


def test_one_id_for_two_conversations_is_an_error(tmp_path):
    write(tmp_path, "one", [WHOLE], [])
    write(tmp_path, "two", [dialogue("a", "else", "m", "u2")], [])
    with pytest.raises(InputError, match=r"two: conversation 'a' is another .*id of its own"):
        read_fitting_gold(tmp_path, ["one", "two"], KNOWN)


def test_a_gold_set_that_params_do_not_have_is_named_whatever_the_folder_holds(tmp_path):
    write(tmp_path, "gone", [WHOLE], [("gold", "a", 2, "POS")])
    with pytest.raises(InputError, match=r"fit_detector\.gold_sets: 'gone' .*has dense, one"):
        read_fitting_gold(tmp_path, ["gone"], KNOWN)
    with pytest.raises(InputError, match="gold_sets has none"):
        read_fitting_gold(tmp_path, ["dense"], ())


def test_a_gold_set_that_was_not_read_yet_is_named(tmp_path):
    with pytest.raises(InputError, match=r"dense: no such folder; `dvc repro read_gold`"):
        read_fitting_gold(tmp_path, ["dense"], KNOWN)


def test_no_gold_set_at_all_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"fit_detector\.gold_sets: names no gold set"):
        read_fitting_gold(tmp_path, [], KNOWN)


@pytest.mark.parametrize("stem", ["chat:{}", "2024-05-01T10:{}"])
def test_ids_that_look_cut_lose_no_label(tmp_path, stem):
    names = [stem.format(n) for n in range(1, 11)]
    talks = [dialogue(name, "u", "m", "v", "m", "w", "m", "x") for name in names]
    labels = [("gold", name, turn, "POS") for name in names for turn in (2, 3, 4)]
    write(tmp_path, "dense", talks, labels)
    found = read_fitting_gold(tmp_path, ["dense"], KNOWN)
    assert len(found.labels) == 30
    assert found.origins == {}


def test_turns_of_one_set_that_read_the_same_count_each(tmp_path):
    talk = dialogue("a", "go on", "m", "go on", "m", "go on")
    write(tmp_path, "dense", [talk], [("gold", "a", 2, "NEU"), ("gold", "a", 3, "POS")])
    assert read_fitting_gold(tmp_path, ["dense"], KNOWN).labels == {
        ("a", 2): "NEU",
        ("a", 3): "POS",
    }


def test_the_same_ids_of_two_logs_are_two_turns(tmp_path):
    write(tmp_path, "dense", [WHOLE], [("gold", "a", 3, "NEG_1")])
    other = dialogue("a:3", "else", "m", "thanks")
    write(tmp_path, "sparse", [other], [("gold", "a:3", 2, "POS")], {"a:3": "a"})
    labels = read_fitting_gold(tmp_path, ["dense", "sparse"], KNOWN).labels
    assert labels == {("a", 3): "NEG_1", ("a:3", 2): "POS"}


def test_origins_are_those_of_sets_that_are_not_fitted_on_too(tmp_path):
    write(tmp_path, "dense", [WHOLE], [("gold", "a", 2, "POS")])
    write(tmp_path, "sparse", [CUT], [("second", "a:3", 2, "POS")], {"a:3": "a"})
    assert read_fitting_gold(tmp_path, ["dense"], KNOWN).origins == {"a:3": "a"}


def test_gold_of_an_unknown_conversation_is_left_to_the_fit(tmp_path):
    write(tmp_path, "dense", [WHOLE], [("gold", "b", 2, "POS"), ("gold", "b", 3, "POS")])
    assert len(read_fitting_gold(tmp_path, ["dense"], KNOWN).labels) == 2
