import pytest

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.sets import GOLD_LABELS
from feedback_lens.feedback.local.fitting_gold import read_fitting_gold
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.tables import write_rows

WHOLE = dialogue("a", "u1", "m1", "u2", "m2", "u3")
CUT = dialogue("a:3", "u2", "m2", "u3")


def write(folder, name, conversations, labels):
    """A gold set; `labels` are (annotator, conversation, turn, label)."""
    write_rows(
        (c.as_row() for c in conversations), folder / name / "conversations.parquet", CONVERSATIONS
    )
    names = ("annotator", "conversation_id", "turn", "label")
    rows = [dict(zip(names, row, strict=True)) for row in labels]
    write_rows(
        ({**row, "labels": [row["label"]], "log_conversation_id": "a"} for row in rows),
        folder / name / "labels.parquet",
        GOLD_LABELS,
    )


def test_gold_labels_of_the_named_sets_are_read(tmp_path):
    write(tmp_path, "dense", [WHOLE], [("gold", "a", 2, "POS"), ("second", "a", 3, "NEU")])
    write(tmp_path, "other", [dialogue("b", "x", "y", "z")], [("gold", "b", 2, "NEU")])
    write(tmp_path, "unread", [dialogue("c", "x", "y", "z")], [("gold", "c", 2, "NEU")])
    conversations, labels = read_fitting_gold(tmp_path, ["dense", "other"])
    assert [c.conversation_id for c in conversations] == ["a", "b"]
    assert conversations[0] == WHOLE
    assert labels == {("a", 2): "POS", ("b", 2): "NEU"}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["dense", "sparse"], {("a", 3): "NEG_1", ("a", 2): "NEU"}),
        (["sparse", "dense"], {("a:3", 2): "POS", ("a", 2): "NEU"}),
    ],
)
def test_a_turn_of_two_sets_counts_once_as_the_first_says(tmp_path, order, expected):
    write(tmp_path, "dense", [WHOLE], [("gold", "a", 3, "NEG_1"), ("gold", "a", 2, "NEU")])
    write(tmp_path, "sparse", [CUT], [("gold", "a:3", 2, "POS")])
    conversations, labels = read_fitting_gold(tmp_path, order)
    assert labels == expected
    assert {c.conversation_id for c in conversations} == {"a", "a:3"}


def test_a_conversation_may_stand_in_two_sets(tmp_path):
    write(tmp_path, "one", [WHOLE], [("gold", "a", 2, "POS")])
    write(tmp_path, "two", [WHOLE], [("gold", "a", 2, "NEU"), ("gold", "a", 3, "NEU")])
    conversations, labels = read_fitting_gold(tmp_path, ["one", "two"])
    assert conversations == [WHOLE]
    assert labels == {("a", 2): "POS", ("a", 3): "NEU"}


def test_one_id_for_two_conversations_is_an_error(tmp_path):
    write(tmp_path, "one", [WHOLE], [])
    write(tmp_path, "two", [dialogue("a", "else", "m", "u2")], [])
    with pytest.raises(InputError, match=r"two: conversation 'a' is another .*id of its own"):
        read_fitting_gold(tmp_path, ["one", "two"])


def test_a_gold_set_that_does_not_exist_is_named_beside_those_that_do(tmp_path):
    write(tmp_path, "dense", [WHOLE], [])
    with pytest.raises(InputError, match=r"fit_detector\.gold_sets: 'dens' .*gold_sets has dense"):
        read_fitting_gold(tmp_path, ["dens"])
    with pytest.raises(InputError, match=r"gold_sets has none \(`dvc repro read_gold`"):
        read_fitting_gold(tmp_path / "nothing", ["dens"])


def test_no_gold_set_at_all_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"fit_detector\.gold_sets: names no gold set"):
        read_fitting_gold(tmp_path, [])
