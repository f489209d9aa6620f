from pathlib import Path

import numpy as np
import pytest

from dialogues import dialogue
from feedback_lens.feedback.gold.annotators import read_gold, reduce_gold
from feedback_lens.feedback.local.crossvalidation import (
    OutOfFold,
    Probabilities,
    draw_abstention,
    draw_calibration,
    evaluate_out_of_fold,
    predict_out_of_fold,
)
from feedback_lens.feedback.local.detector import Detector, fit_detector
from feedback_lens.feedback.local.folds import assign_fold
from feedback_lens.logs.samples import read_samples

DATA = Path(__file__).parents[1] / "data"
PREDICTORS = ("local", "minilm", "keywords", "majority")


def said(*rows):
    """Probabilities of NEU and POS, a row a turn, before and after a temperature of 2."""
    given = np.array(rows)
    return Probabilities(("NEU", "POS"), given, given**2 / (given**2).sum(1, keepdims=True), 2.0)


@pytest.fixture
def found():
    labels = {
        "local": ["POS", "NEU", "POS"],
        "minilm": ["POS", "NEU", "NEU"],
        "keywords": ["NEU", "NEU", "NEU"],
        "majority": ["POS", "POS", "POS"],
    }
    fitted = {
        "local": said((0.2, 0.8), (0.6, 0.4), (0.3, 0.7)),
        "minilm": said((0.4, 0.6), (0.9, 0.1), (0.8, 0.2)),
    }
    return OutOfFold(
        [("a", 2), ("b", 2), ("b:3", 2)], ["POS", "NEU", "POS"], fitted, labels, {"b:3": "b"}
    )


def test_every_predictor_is_evaluated_and_the_detector_compared(found):
    metrics = evaluate_out_of_fold(found, 10, 200, 1)
    accuracies = [metrics[name]["three_way"]["accuracy"] for name in PREDICTORS]
    assert accuracies == pytest.approx([1, 2 / 3, 1 / 3, 2 / 3])
    differences = metrics["differences"]
    assert differences.keys() == {"local_minus_minilm", "local_minus_keywords"}
    ours = differences["local_minus_minilm"]["three_way_accuracy"]
    assert ours["difference"] == pytest.approx(1 / 3)
    # an exchange cut out of b is b's: draws of a alone differ by 0, of b alone by 1 of 2
    assert (ours["low"], ours["high"]) == (0, 0.5)


def test_calibration_is_measured_before_and_after_the_temperature(found):
    local = evaluate_out_of_fold(found, 10, 200, 1)["calibration"]["local"]
    assert local["temperature"] == 2
    # calibrated: 2 * (.2^2 + .4^2 + .3^2) / 3
    assert local["calibrated"]["brier"] == pytest.approx(0.58 / 3)
    # uncalibrated odds are the squares: POS 16 of 17, NEU 9 of 13, POS 49 of 58
    wrong = np.array([1 / 17, 4 / 13, 9 / 58])
    assert local["uncalibrated"]["brier"] == pytest.approx(2 * (wrong**2).sum() / 3)


def test_points_are_drawn_for_each_fitted_predictor(found):
    names = {row["detector"] for row in draw_calibration(found, 10)}
    assert names == {"local", "local_uncalibrated", "minilm", "minilm_uncalibrated"}
    abstention = draw_abstention(found)
    assert {row["detector"] for row in abstention} == {"local", "minilm"}
    kept = {r["threshold"]: r["accuracy"] for r in abstention if r["detector"] == "minilm"}
    # right at .6 and .9, wrong at .8
    assert (kept[0.6], kept[0.65], kept[0.85]) == (pytest.approx(2 / 3), 0.5, 1)


def test_predictions_are_of_the_gold_turns_alone_by_heads_that_did_not_see_them():
    turns = ("thanks, perfect", "that is wrong", "great, thank you", "no, it does not work")
    talks = [dialogue(f"c{n}", f"sort {n}", "m", turns[n % 4], "m", "more") for n in range(12)]
    gold = {(f"c{n}", 2): ("POS", "NEG_3")[n % 2] for n in range(12)}
    talks.append(dialogue("unlabeled", "u", "m", "wrong"))
    detector = fit_detector(talks, gold, 3, 1.0)
    # heads that know all gold must not be asked: the last is made useless
    broken = detector.heads.intercepts.copy()
    broken[-1] = (0, 1e9)
    heads = detector.heads.__class__(
        detector.heads.classes, detector.heads.coefficients, broken, detector.heads.temperatures
    )
    found = predict_out_of_fold(Detector(heads, detector.fold_of), talks, gold, 1.0)
    assert found.keys == [(f"c{n}", 2) for n in range(12)]
    assert found.actual == ["POS", "NEG_3"] * 6
    assert found.labels["local"] == found.labels["minilm"] == ["POS", "NEG_3"] * 6
    assert found.labels["keywords"] == ["POS", "NEG_3", "POS", "NEG_2"] * 3


def test_the_majority_is_that_of_the_other_folds():
    by_fold = {
        fold: [n for n in range(40) if assign_fold(f"sort {n}", 3) == fold] for fold in (0, 1, 2)
    }
    talks = [
        dialogue(f"c{n}", f"sort {n}", "m", "hm")
        for f, m in ((0, 6), (1, 2), (2, 2))
        for n in by_fold[f][:m]
    ]
    # fold 0 holds the six POS, the others two NEG_3 each: POS 6 to 4 of all, 0 to 4 without fold 0
    gold = {(t.conversation_id, 2): "POS" if row < 6 else "NEG_3" for row, t in enumerate(talks)}
    found = predict_out_of_fold(fit_detector(talks, gold, 3, 1.0), talks, gold, 1.0)
    assert found.labels["majority"] == ["NEG_3"] * 6 + ["POS"] * 4


@pytest.fixture(scope="module")
def sample():
    paths = sorted((DATA / "gold").glob("*/gold.csv"))
    gold = {key: label for path in paths for key, label in reduce_gold(read_gold(path)).items()}
    conversations = read_samples(DATA / "sample")
    known = {c.conversation_id for c in conversations}
    gold = {key: label for key, label in gold.items() if key[0] in known}
    detector = fit_detector(conversations, gold, 5, 1.0)
    found = predict_out_of_fold(detector, conversations, gold, 1.0)
    assert len(found.actual) == len(gold)
    return evaluate_out_of_fold(found, 10, 500, 1)


@pytest.mark.parametrize("other", ["minilm", "keywords"])
@pytest.mark.parametrize("metric", ["three_way_accuracy", "fine_accuracy", "fine_macro_f1"])
def test_the_local_detector_is_better_on_the_sample_with_its_whole_interval(sample, other, metric):
    assert sample["differences"][f"local_minus_{other}"][metric]["low"] > 0.02


def test_calibration_helps_on_turns_it_was_not_fitted_on(sample):
    local = sample["calibration"]["local"]
    for measure in ("expected_error", "brier", "negative_log_likelihood"):
        assert local["calibrated"][measure] < local["uncalibrated"][measure]
    assert local["calibrated"]["expected_error"] < 0.08
