import json

import numpy as np
import pytest

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import LABELS
from feedback_lens.feedback.local.detector import (
    Detector,
    fit_detector,
    load_detector,
    save_detector,
)
from feedback_lens.feedback.local.features import FEATURES
from feedback_lens.feedback.local.folds import assign_fold
from feedback_lens.feedback.local.heads import Heads

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


def test_new_conversations_are_labeled_with_a_confidence(detector):
    new = [
        dialogue("new", "u", "m", "perfect, many thanks"),
        dialogue("x", "u", "m", "it is wrong"),
    ]
    rows = detector.label(new)
    assert [(row["label"], row["outcome"], row["listed"]) for row in rows] == [
        ("POS", "answered", True),
        ("NEG_3", "answered", True),
    ]
    assert set(rows[0]) == set(LABELS.names)
    assert all(0.5 <= row["confidence"] <= 1 for row in rows)
    assert detector.label([]) == []


def test_folds_are_kept_apart_by_conversation(detector):
    assert detector.fold_of == {f"c{n}": assign_fold(f"sort {n}", FOLDS) for n in range(8)}
    assert set(detector.fold_of.values()) == {0, 1, 2}
    assert len(detector.heads.coefficients) == FOLDS + 1


def test_a_gold_conversation_is_labeled_by_the_head_that_did_not_see_it(detector):
    # turned labels in the conversation itself leave the head that labels it as it was
    turned = gold() | {("c0", 2): "NEG_3"}
    other = fit_detector(talks(), turned, FOLDS, 1.0)
    fold = detector.fold_of["c0"]
    assert (other.heads.coefficients[fold] == detector.heads.coefficients[fold]).all()
    assert not (other.heads.coefficients[-1] == detector.heads.coefficients[-1]).all()
    assert labels_of(other, talks())[("c0", 2)] == labels_of(detector, talks())[("c0", 2)]


def test_each_conversation_has_its_own_fold_s_head():
    # the head of fold 0 says POS, of fold 1 NEU, that of all gold NEG_3
    intercepts = np.eye(3)[[2, 1, 0]] * 5
    classes = ("NEG_3", "NEU", "POS")
    heads = Heads(classes, np.zeros((3, 3, FEATURES)), intercepts, np.ones(3))
    detector = Detector(heads, {"a": 0, "b": 1, "a:5": 0})
    names = ("a", "b", "c", "a:5", "a:7")
    found = labels_of(detector, [dialogue(name, "u", "m", "hm") for name in names])
    # a:5 is an exchange cut out of a, a:7 a stranger whose id looks like one
    expected = ("POS", "NEU", "NEG_3", "POS", "NEG_3")
    assert found == {(name, 2): label for name, label in zip(names, expected, strict=True)}


def test_what_shares_turns_with_a_gold_conversation_has_its_fold():
    # c0:3 is gold itself, c1:5 an exchange that detectors see, x:2 is of a conversation without gold
    talks_and_cut = [*talks(), dialogue("c0:3", "again", "use sort", "thanks")]
    origins = {"c0:3": "c0", "c1:5": "c1", "x:2": "x"}
    fitted = fit_detector(talks_and_cut, gold() | {("c0:3", 2): "POS"}, FOLDS, 1.0, origins)
    assert fitted.fold_of.keys() == {*(f"c{n}" for n in range(8)), "c0:3", "c1:5"}
    assert fitted.fold_of["c0:3"] == fitted.fold_of["c0"]
    assert fitted.fold_of["c1:5"] == fitted.fold_of["c1"]


def test_a_conversation_of_which_only_an_exchange_is_gold_has_its_fold():
    labels = {(name, turn): label for (name, turn), label in gold().items() if name != "c0"}
    cut = dialogue("c0:2", "sort 0", "use sort", "thanks, perfect")
    labels["c0:2", 2] = "POS"
    fitted = fit_detector([*talks(), cut], labels, FOLDS, 1.0, {"c0:2": "c0"})
    assert fitted.fold_of["c0"] == fitted.fold_of["c0:2"]


def test_confidence_is_the_calibrated_probability():
    # odds 9 : 1 at temperature 2 are 3 : 1
    intercepts = np.log([[9.0, 1.0]])
    heads = Heads(("NEU", "POS"), np.zeros((1, 2, FEATURES)), intercepts, np.array([2.0]))
    rows = Detector(heads, {}).label([dialogue("a", "u", "m", "hm")])
    assert rows[0]["confidence"] == 0.75


def test_many_conversations_are_labeled_as_few_are(detector):
    new = [dialogue(f"n{n}", f"u {n}", "m", f"is {n} right?", "m", "ok") for n in range(150)]
    alone = [row for talk in new for row in detector.label([talk])]
    assert detector.label(iter(new)) == alone
    assert len(alone) == 300


def test_turns_without_gold_change_nothing(detector):
    more = [*talks(), dialogue("unlabeled", "u", "m", "thanks, it is wrong")]
    refitted = fit_detector(more, gold(), FOLDS, 1.0)
    assert (refitted.heads.coefficients == detector.heads.coefficients).all()
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
    assert fitted.heads.classes == ("NEG_3", "NEU", "POS")
    assert fitted.heads.coefficients.shape == (FOLDS + 1, 3, FEATURES)


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


def test_gold_of_no_turn_is_an_error():
    with pytest.raises(
        InputError, match=r"1 gold labels belong to no turn .*'c0', turn 5.*read_gold"
    ):
        fit_detector(talks(), gold() | {("c0", 5): "POS"}, FOLDS, 1.0)


def test_a_detector_of_other_features_is_named(detector, tmp_path):
    heads = Heads(("NEU", "POS"), np.zeros((1, 2, 7)), np.zeros((1, 2)), np.ones(1))
    save_detector(Detector(heads, {}), tmp_path)
    with pytest.raises(InputError, match=r"a detector of \(2, 7\).*run `dvc repro fit_detector`"):
        load_detector(tmp_path)


def test_a_detector_that_lacks_its_heads_or_classes_is_named(detector, tmp_path):
    save_detector(detector, tmp_path)
    (tmp_path / "detector.json").write_text("{}")
    with pytest.raises(InputError, match="no whole detector"):
        load_detector(tmp_path)
    (tmp_path / "heads.npz").unlink()
    with pytest.raises(InputError, match="no whole detector"):
        load_detector(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("classes", value) for value in (None, "NEG_3,POS", {"POS": 1}, ["POS", 1], 3)),
        *(("fold_of", value) for value in (None, [], "c0", {"c0": "1"}, {"c0": True}, {"c0": 1.0})),
        *(("fold_of", {"c0": fold}) for fold in (None, -1, FOLDS)),
    ],
)
def test_a_detector_with_a_wrong_type_is_named(detector, tmp_path, key, value):
    save_detector(detector, tmp_path)
    content = json.loads((tmp_path / "detector.json").read_text())
    assert content["classes"] == ["NEG_3", "POS"]
    (tmp_path / "detector.json").write_text(json.dumps(content | {key: value}))
    with pytest.raises(
        InputError, match=rf"no whole detector .*{key}.*run `dvc repro fit_detector`"
    ):
        load_detector(tmp_path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"temperatures": np.float64(1)},
        {"temperatures": np.ones(2)},
        {"temperatures": np.array(["a"] * (FOLDS + 1))},
        {"intercepts": np.zeros(2)},
        {"coefficients": np.zeros((FOLDS, 2, FEATURES))},
    ],
)
def test_arrays_that_do_not_fit_together_are_named(detector, tmp_path, arrays):
    save_detector(detector, tmp_path)
    names = ("coefficients", "intercepts", "temperatures")
    whole = {name: getattr(detector.heads, name) for name in names}
    np.savez(tmp_path / "heads.npz", **whole | arrays)
    with pytest.raises(InputError, match=r"no whole detector .*run `dvc repro fit_detector`"):
        load_detector(tmp_path)


def test_a_single_array_is_no_detector(detector, tmp_path):
    save_detector(detector, tmp_path)
    with (tmp_path / "heads.npz").open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(InputError, match=r"no whole detector"):
        load_detector(tmp_path)
