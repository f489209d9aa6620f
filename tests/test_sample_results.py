"""What the README claims of the sample run, held against the committed metrics."""

from pathlib import Path

import pytest

from feedback_lens.tables import read_json

METRICS = Path(__file__).parents[1] / "metrics"
TRAINING = read_json(METRICS / "training.json")["tiny"]
CELLS = [
    (corpus, recipe)
    for corpus, recipes in TRAINING.items()
    for recipe in recipes
    if recipes[recipe]["method"] == "sft"
]


def test_all_sft_cells_are_there() -> None:
    assert len(CELLS) == 6  # two corpora, three recipes


@pytest.mark.parametrize(("corpus", "recipe"), CELLS)
def test_the_loss_on_replies_kept_apart_falls_by_training(corpus: str, recipe: str) -> None:
    loss = TRAINING[corpus][recipe]["held_out_loss"]
    assert loss["after"] < loss["before"]


@pytest.mark.parametrize("corpus", TRAINING)
def test_kto_on_regenerated_over_criticized_replies_widens_the_margin_of_others(
    corpus: str,
) -> None:
    figures = TRAINING[corpus]["kto_neg_semantic"]
    assert figures["held_out_reward_margin"] > figures["held_out_reward_margin_error"]
    assert figures["held_out_loss"]["after"] < figures["held_out_loss"]["before"]


@pytest.mark.parametrize("corpus", TRAINING)
def test_the_paper_s_kto_widens_the_margin_of_the_rows_it_trains_on_alone(corpus: str) -> None:
    figures = TRAINING[corpus]["kto"]
    assert figures["trained_reward_margin"] > 1
    assert figures["held_out_reward_margin"] < figures["held_out_reward_margin_error"]


def test_the_local_detector_beats_the_baselines_on_folds_it_did_not_see() -> None:
    evaluation = read_json(METRICS / "fit_detector.json")
    local = evaluation["local"]
    for baseline in ("keywords", "majority"):
        other = evaluation[baseline]
        assert local["three_way"]["accuracy"] > other["three_way"]["accuracy"] + 0.1
        assert local["fine"]["macro"]["f1"] > other["fine"]["macro"]["f1"] + 0.1


def test_the_fast_detector_is_within_two_points_of_the_plain_one_or_better() -> None:
    differences = read_json(METRICS / "fit_detector.json")["differences"]["local_minus_minilm"]
    # even at the lower end of the interval
    assert differences["three_way_accuracy"]["low"] > -0.02
    assert differences["fine_accuracy"]["low"] > -0.02


def test_calibration_mends_the_confidence_out_of_fold() -> None:
    calibration = read_json(METRICS / "fit_detector.json")["calibration"]["local"]
    for measure in ("expected_error", "brier", "negative_log_likelihood"):
        assert calibration["calibrated"][measure] < calibration["uncalibrated"][measure]


@pytest.mark.parametrize("gold_set", ["lmsys", "wildchat", "sparse"])
def test_every_detector_labels_every_gold_turn(gold_set: str) -> None:
    evaluation = read_json(METRICS / "evaluate_detector" / f"{gold_set}.json")
    turns = read_json(METRICS / "read_gold" / f"{gold_set}.json")["turns"]
    for detector in ("local", "prompted", "prior"):
        assert evaluation[detector]["turns"] == turns
        assert evaluation[detector]["missing_turns"] == evaluation[detector]["unlabeled"] == 0


def test_the_reward_model_prefers_the_better_reply_of_pairs_it_never_saw() -> None:
    accuracy = read_json(METRICS / "train_reward" / "tiny.json")["held_out_accuracy"]
    assert accuracy["after"] > 0.5
