import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.feedback.labels import (
    DESCRIPTIONS,
    FINE,
    GRANULARITIES,
    LABELS,
    PRIORITY,
    coarsen,
    from_category,
    reduce_labels,
    to_category,
)
from feedback_lens.tables import read_rows, write_rows


@pytest.mark.parametrize(
    ("labels", "one"),
    [
        (["NEU"], "NEU"),
        (["NEG_1", "NEG_4", "NEG_3", "NEG_2"], "NEG_2"),
        (["NEG_1", "NEG_4", "NEG_3"], "NEG_3"),
        (["NEG_1", "NEG_4"], "NEG_4"),
        (["POS", "NEG_1"], "NEG_1"),
        (["NEU", "POS"], "POS"),
    ],
)
def test_several_labels_reduce_by_the_paper_s_priority(labels, one):
    assert reduce_labels(labels) == one


@pytest.mark.parametrize("labels", [[], ["NEG"], ["NEU", "neg_1"]])
def test_labels_outside_the_ontology_do_not_reduce(labels):
    with pytest.raises(ValueError, match="one or more of NEG_1, NEG_2, NEG_3, NEG_4, POS, NEU"):
        reduce_labels(labels)


@given(st.lists(st.sampled_from(FINE), min_size=1))
def test_the_reduced_label_is_one_of_them_in_any_order(labels):
    assert reduce_labels(labels) in labels
    assert reduce_labels(reversed(labels)) == reduce_labels(labels)


def test_each_fine_label_has_its_place_at_each_granularity():
    seen = {name: tuple(coarsen(label, name) for label in FINE) for name in GRANULARITIES}
    assert seen["fine"] == FINE
    assert seen["three_way"] == ("NEG", "NEG", "NEG", "NEG", "POS", "NEU")
    assert seen["binary"] == ("FEEDBACK",) * 5 + ("NEU",)
    assert all(set(seen[name]) == set(classes) for name, classes in GRANULARITIES.items())


def test_the_ontology_is_complete():
    assert set(PRIORITY) == set(DESCRIPTIONS) == set(FINE)
    assert DESCRIPTIONS["NEG_2"] == "make aware with correction"


def test_an_unreadable_label_is_null_on_disk(tmp_path):
    row = dict.fromkeys(LABELS.names) | {"conversation_id": "a", "turn": 2, "outcome": "refused"}
    write_rows([row], tmp_path / "l.parquet", LABELS)
    assert read_rows(tmp_path / "l.parquet") == [row]


def test_the_categories_of_prior_work_are_the_labels_in_their_order():
    found = [from_category(f"UR{number}") for number in range(1, 6)]
    # rephrase, with correction, without, clarification, positive
    assert found == ["NEG_1", "NEG_2", "NEG_3", "NEG_4", "POS"]
    assert [to_category(label) for label in found] == ["UR1", "UR2", "UR3", "UR4", "UR5"]


def test_no_feedback_has_no_category():
    assert to_category("NEU") is None


@pytest.mark.parametrize("category", ["UR0", "UR6", "ur1", "NEG_1", ""])
def test_an_unknown_category_is_named(category):
    with pytest.raises(ValueError, match=f"category '{category}': one of UR1, UR2"):
        from_category(category)


@pytest.mark.parametrize("label", ["UR1", "NEG", ""])
def test_an_unknown_label_has_no_category(label):
    with pytest.raises(ValueError, match=f"label '{label}': one of NEG_1, NEG_2"):
        to_category(label)
