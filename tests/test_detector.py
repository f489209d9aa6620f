import numpy as np
import pytest

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.feedback.detector import (
    Detector,
    assign_fold,
    build_features,
    fit_detector,
    load_detector,
    save_detector,
)
from feedback_lens.feedback.embedding import embed

THANKS = ("thanks, perfect", "great, that worked", "wonderful, thank you", "perfect, thanks a lot")
COMPLAINTS = ("that is wrong", "no, that's incorrect", "this does not work", "wrong again, sorry")
FOLDS = 3


def talks():
    """Eight conversations: praise in those of even number, complaints in the others."""
    pairs = zip(THANKS, COMPLAINTS, strict=True)
    turns = [turn for pair in pairs for turn in pair]
    return [dialogue(f"c{n}", f"sort {n}", "use sort", turn) for n, turn in enumerate(turns)]


def gold():
    return {(f"c{n}", 2): ("POS", "NEG_3")[n % 2] for n in range(8)}


@pytest.fixture(scope="module")
def detector():
    return fit_detector(talks(), gold(), FOLDS, 1.0)


def labels_of(detector, conversations):
    return {(r["conversation_id"], r["turn"]): r["label"] for r in detector.label(conversations)}


def test_features_are_the_turn_the_one_before_their_product_and_cosine():
    conversations = [dialogue("a", "one", "m"), dialogue("b", "one", "m", "two", "m", "three")]
    features, keys = build_features(conversations)
    assert keys == [("b", 2), ("b", 3)]
    one, two, three = embed(["one", "two", "three"], "test")
    assert features.shape == (2, 3 * 384 + 1)
    assert features[0] == pytest.approx(np.hstack([two, one, two * one, two @ one]), abs=1e-5)
    assert features[1] == pytest.approx(np.hstack([three, two, three * two, three @ two]), abs=1e-5)


def test_conversations_without_a_second_turn_have_no_features():
    features, keys = build_features([dialogue("a", "one", "m")])
    assert (features.shape, keys) == ((0, 1153), [])
    assert build_features([])[1] == []


def test_new_conversations_are_labeled_with_a_confidence(detector):
    new = [
        dialogue("new", "u", "m", "perfect, many thanks"),
        dialogue("x", "u", "m", "it is wrong"),
    ]
    rows = detector.label(new)
    assert [(row["label"], row["outcome"]) for row in rows] == [
        ("POS", "answered"),
        ("NEG_3", "answered"),
    ]
    assert all(0.5 <= row["confidence"] <= 1 for row in rows)
    assert detector.label([]) == []


def test_folds_are_kept_apart_by_conversation(detector):
    assert detector.fold_of == {f"c{n}": assign_fold(f"sort {n}", FOLDS) for n in range(8)}
    assert set(detector.fold_of.values()) == {0, 1, 2}
    assert len(detector.coefficients) == FOLDS + 1


def test_a_gold_conversation_is_labeled_by_the_head_that_did_not_see_it(detector):
    # turned labels in the conversation itself leave the head that labels it as it was
    turned = gold() | {("c0", 2): "NEG_3"}
    other = fit_detector(talks(), turned, FOLDS, 1.0)
    fold = detector.fold_of["c0"]
    assert (other.coefficients[fold] == detector.coefficients[fold]).all()
    assert not (other.coefficients[-1] == detector.coefficients[-1]).all()
    assert labels_of(other, talks())[("c0", 2)] == labels_of(detector, talks())[("c0", 2)]


def test_each_conversation_has_its_own_fold_s_head():
    # the head of fold 0 says POS, of fold 1 NEU, that of all gold NEG_3
    intercepts = np.eye(3)[[2, 1, 0]] * 5
    heads = Detector(("NEG_3", "NEU", "POS"), np.zeros((3, 3, 1153)), intercepts, {"a": 0, "b": 1})
    found = labels_of(heads, [dialogue(name, "u", "m", "hm") for name in "abc"])
    assert found == {("a", 2): "POS", ("b", 2): "NEU", ("c", 2): "NEG_3"}


def test_turns_without_gold_change_nothing(detector):
    more = [*talks(), dialogue("unlabeled", "u", "m", "thanks, it is wrong")]
    refitted = fit_detector(more, gold(), FOLDS, 1.0)
    assert refitted.coefficients == pytest.approx(detector.coefficients, abs=1e-3)
    assert "unlabeled" not in refitted.fold_of


def test_a_fold_whose_rest_has_one_class_chooses_that_class():
    # the only POS conversations stand in one fold, so that its head saw NEG_3 alone
    names = [f"n{number}" for number in range(30)]
    folds = {name: assign_fold(name, 2) for name in names}
    first = [name for name in names if folds[name] == 0][:3]
    second = [name for name in names if folds[name] == 1][:2]
    labels = {(name, 2): "POS" if name in first[:2] else "NEG_3" for name in (*first, *second)}
    conversations = [
        dialogue(name, name, "m", "great" if label == "POS" else "wrong")
        for (name, _), label in labels.items()
    ]
    found = labels_of(fit_detector(conversations, labels, 2, 1.0), conversations)
    assert {found[name, 2] for name in first} == {"NEG_3"}


def test_three_classes_have_a_row_of_weights_each():
    labels = gold() | {("c0", 2): "NEU", ("c1", 2): "NEU"}
    fitted = fit_detector(talks(), labels, FOLDS, 1.0)
    assert fitted.classes == ("NEG_3", "NEU", "POS")
    assert fitted.coefficients.shape == (FOLDS + 1, 3, 1153)


@pytest.mark.parametrize(
    ("labels", "folds"),
    [(dict.fromkeys(gold(), "POS"), 3), (gold(), 9), ({("c0", 2): "POS"}, 2), ({}, 2)],
)
def test_too_little_gold_is_an_error(labels, folds):
    with pytest.raises(InputError, match=r"annotate more or lower fit_detector\.folds"):
        fit_detector(talks(), labels, folds, 1.0)


def test_a_detector_comes_back_as_it_was_saved(detector, tmp_path):
    for name in ("a", "b"):
        save_detector(detector, tmp_path / name)
    loaded = load_detector(tmp_path / "a")
    assert loaded.label(talks()) == detector.label(talks())
    for file in ("heads.npz", "detector.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"no archive"])
def test_a_damaged_detector_is_named(detector, tmp_path, damage):
    save_detector(detector, tmp_path)
    (tmp_path / "heads.npz").write_bytes(damage)
    with pytest.raises(InputError, match=r"no whole detector .*run `dvc repro fit_detector`"):
        load_detector(tmp_path)


def test_a_detector_that_lacks_its_heads_or_classes_is_named(detector, tmp_path):
    save_detector(detector, tmp_path)
    (tmp_path / "detector.json").write_text("{}")
    with pytest.raises(InputError, match="no whole detector"):
        load_detector(tmp_path)
    (tmp_path / "heads.npz").unlink()
    with pytest.raises(InputError, match="no whole detector"):
        load_detector(tmp_path)
