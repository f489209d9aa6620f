import csv
import json
from collections import Counter

import pytest
from click.testing import CliRunner
from sklearn.metrics import cohen_kappa_score

from feedback_lens.errors import InputError
from feedback_lens.feedback.detector_evaluation import (
    evaluate_detectors,
    list_confusions,
    list_published,
)
from feedback_lens.feedback.gold.sets import GOLD_LABELS
from feedback_lens.feedback.label_sets import LabelSets, Prediction, read_label_sets
from feedback_lens.feedback.labels import LABELS
from feedback_lens.stages.evaluate_detector import main
from feedback_lens.tables import write_rows

GOLD = {
    ("x", 2): "NEG_1",
    ("x", 3): "NEU",
    ("y", 2): "POS",
    ("y", 3): "NEU",
    ("z", 2): "NEU",
    ("w", 2): "NEG_4",
}
SECOND = {("x", 2): "NEG_2", ("x", 3): "NEU", ("y", 2): "POS"}
LOCAL = {
    ("x", 2): Prediction("NEG_1", True, "answered"),
    ("x", 3): Prediction("NEG_1", True, "answered"),
    ("y", 2): Prediction(None, True, "abstained"),
    ("y", 3): Prediction("NEU", True, "answered"),
    ("z", 2): Prediction(None, False, "unreadable"),
    ("v", 2): Prediction("POS", True, "answered"),
}
PRIOR = {
    ("x", 2): Prediction("NEG_2", True, "answered"),
    ("x", 3): Prediction("NEG_1", True, "answered"),
    ("y", 2): Prediction("NEU", False, "answered"),
    ("y", 3): Prediction("NEU", False, "answered"),
    ("z", 2): Prediction("NEU", False, "answered"),
    ("w", 2): Prediction(None, False, "refused"),
}


def label_sets(annotators=None, origins=None, **predictions):
    return LabelSets({"gold": GOLD, **(annotators or {})}, predictions, origins or {})


def evaluate(*arguments, **predictions):
    return evaluate_detectors(label_sets(*arguments, **predictions), resamples=50, seed=1)


def test_a_detector_is_evaluated_on_the_gold_turns_of_its_table():
    local = evaluate(local=LOCAL)["local"]
    assert (local["turns"], local["missing_turns"], local["conversations"]) == (5, 1, 3)
    # right: x2, y3; x3 is a false alarm, y2 and z2 have no label
    assert local["fine"]["accuracy"] == 2 / 5
    assert local["predicted_per_conversation"] == 2 / 3  # x2 and x3; x, y and z
    assert local["fine"]["accuracy_low"] <= 2 / 5 <= local["fine"]["accuracy_high"]
    macro = local["fine"]["macro"]
    assert macro["f1_low"] <= macro["f1"] <= macro["f1_high"]
    assert "f1_low" in local["three_way"]["macro"]


def test_turns_that_a_detector_leaves_unlabeled_are_told_apart():
    local = evaluate(local=LOCAL)["local"]
    assert (local["unlabeled"], local["abstained"], local["coverage"]) == (2, 1, 3 / 5)
    # of the labeled turns x2, x3 and y3 two are right, at every granularity
    assert local["accuracy_of_labeled"] == dict.fromkeys(("binary", "three_way", "fine"), 2 / 3)


def test_a_detector_that_labels_nothing_has_no_accuracy_of_labeled_turns():
    silent = dict.fromkeys(GOLD, Prediction(None, False, "failed"))
    metrics = evaluate(silent=silent)["silent"]
    assert metrics["accuracy_of_labeled"] == dict.fromkeys(("binary", "three_way", "fine"))
    assert metrics["fine"]["accuracy"] == metrics["coverage"] == 0


def test_the_paper_counts_turns_with_feedback_and_those_that_the_reply_lists():
    # gold feedback x2, y2, w2; listed x2 and the false alarm x3; y3 and z2 are neither
    assert list_published(GOLD, PRIOR) == [("x", 2), ("x", 3), ("y", 2), ("w", 2)]
    published = evaluate(prior=PRIOR)["prior"]["as_published"]
    assert published["turns"] == 4
    # tp x2; fp x3; fn y2 and w2; no true negative can be
    assert published["binary"]["true_positive"] == 1 / 4
    assert published["binary"]["false_positive"] == 1 / 4
    assert published["binary"]["false_negative"] == 2 / 4
    assert published["binary"]["true_negative"] == 0
    assert published["three_way"]["accuracy"] == 1 / 4
    assert published["fine"]["accuracy"] == 0


def test_a_reply_that_lists_every_turn_is_counted_on_every_turn():
    everything = {key: Prediction(label, True, "answered") for key, label in GOLD.items()}
    metrics = evaluate(ours=everything)["ours"]
    assert metrics["as_published"]["turns"] == metrics["turns"] == 6
    # a turn without feedback whose label could not be read is not listed
    unread = {**everything, ("z", 2): Prediction(None, False, "unreadable")}
    assert evaluate(ours=unread)["ours"]["as_published"]["turns"] == 5


def test_table_6_comes_from_the_turns_that_the_paper_counts():
    # prior work on the sparse set, had gold spoken of the turns of its 9 false alarms: of 107 turns
    # with feedback 48 are listed, and 9 without; the others say nothing
    gold = {(str(turn), 2): "NEG_1" if turn < 107 else "NEU" for turn in range(150)}
    found = {
        key: Prediction("NEG_1", True, "answered")
        if index < 48 or 107 <= index < 116
        else Prediction("NEU", False, "answered")
        for index, key in enumerate(gold)
    }
    metrics = evaluate_detectors(LabelSets({"gold": gold}, {"prior": found}, {}), 20, 1)["prior"]
    published = metrics["as_published"]
    assert (metrics["turns"], published["turns"]) == (150, 116)
    assert round(100 * published["binary"]["accuracy"], 2) == 41.38
    assert round(100 * published["binary"]["precision"], 2) == 84.21
    assert round(100 * published["binary"]["recall"], 2) == 44.86
    assert published["binary"]["true_negative"] == 0


def test_a_set_without_feedback_has_nothing_as_published():
    quiet = {("a", 2): "NEU"}
    sets = LabelSets(
        {"gold": quiet}, {"prior": {("a", 2): Prediction("NEU", False, "answered")}}, {}
    )
    assert evaluate_detectors(sets, 20, 1)["prior"]["as_published"] is None


def test_any_two_label_sets_are_compared_on_turns_that_both_label():
    agreement = evaluate({"second": SECOND}, local=LOCAL, prior=PRIOR)["agreement"]
    assert list(agreement) == [
        "gold_vs_second",
        "gold_vs_local",
        "gold_vs_prior",
        "second_vs_local",
        "second_vs_prior",
        "local_vs_prior",
    ]
    sizes = {
        name: (a["turns"], a["conversations"], a["unlabeled"]) for name, a in agreement.items()
    }
    assert sizes["gold_vs_second"] == (3, 2, 0)
    assert sizes["gold_vs_local"] == (3, 2, 2)  # y2 and z2 have no label
    assert sizes["local_vs_prior"] == (3, 2, 2)
    second = agreement["gold_vs_second"]
    assert second["three_way"]["kappa"] == 1
    # fine: 2 of 3 agree; chance: NEU 1/9 + POS 1/9 = 2/9; (6/9 - 2/9) / (7/9) = 4/7
    assert second["fine"]["kappa"] == pytest.approx(4 / 7)
    # x2, x3 and y3: NEG_1 NEG_1 NEU against NEG_2 NEG_1 NEU
    expected = cohen_kappa_score(["NEG_1", "NEG_1", "NEU"], ["NEG_2", "NEG_1", "NEU"])
    assert agreement["local_vs_prior"]["fine"]["kappa"] == pytest.approx(expected)


def test_annotators_without_a_turn_in_common_have_no_kappa():
    agreement = evaluate({"second": {("u", 2): "POS"}})["agreement"]["gold_vs_second"]
    assert agreement["turns"] == agreement["conversations"] == 0
    assert agreement["fine"] == {"kappa": None, "low": None, "high": None}


def test_turns_cut_out_of_one_conversation_are_drawn_together():
    gold = {(f"c:{turn}", 2): label for turn, label in enumerate(["NEG_1", "POS"] * 5, start=2)}
    half = {
        key: Prediction("NEG_1", True, "answered") for key in gold
    }  # right on every second turn
    apart = evaluate_detectors(LabelSets({"gold": gold}, {"half": half}, {}), 200, 1)["half"]
    origins = {key[0]: "c" for key in gold}
    together = evaluate_detectors(LabelSets({"gold": gold}, {"half": half}, origins), 200, 1)[
        "half"
    ]
    assert (apart["conversations"], together["conversations"]) == (10, 1)
    assert apart["fine"]["accuracy_low"] < 0.5 < apart["fine"]["accuracy_high"]
    assert together["fine"]["accuracy_low"] is None  # one conversation tells nothing of others


def test_labels_of_another_log_are_an_error_with_the_detector_s_name():
    with pytest.raises(InputError, match="prompted: none of the 6 gold turns"):
        evaluate(prompted={})


def test_confusions_name_detectors_and_further_annotators():
    rows = list_confusions(label_sets({"second": SECOND}, local=LOCAL))
    assert Counter(row["detector"] for row in rows) == {"second": 3, "local": 5}
    assert rows[0] == {"detector": "second", "actual": "NEG_1", "predicted": "NEG_2"}
    assert rows[5] == {"detector": "local", "actual": "POS", "predicted": "unlabeled"}


def write_tables(folder, annotators, **predictions):
    labels = [
        {
            "annotator": name,
            "conversation_id": identifier,
            "turn": turn,
            "labels": [label],
            "label": label,
            "log_conversation_id": identifier,
        }
        for name, table in annotators.items()
        for (identifier, turn), label in table.items()
    ]
    write_rows(labels, folder / "labels.parquet", GOLD_LABELS)
    for name, table in predictions.items():
        rows = [
            {"conversation_id": identifier, "turn": turn, "confidence": None, **row._asdict()}
            for (identifier, turn), row in table.items()
        ]
        write_rows(rows, folder / f"{name}.parquet", LABELS)


def run_stage(folder, *detectors):
    names = [word for name in detectors for word in ("--detectors", name)]
    outs = {name: folder / name for name in ("metrics", "confusion")}
    options = {"labels": folder / "labels.parquet", "predictions_folder": folder, **outs}
    words = [word for name, path in options.items() for word in (f"--{name}", str(path))]
    return CliRunner().invoke(main, [*words, *names, "--resamples", "20", "--seed", "1"])


def test_the_stage_writes_metrics_and_confusions(tmp_path):
    write_tables(tmp_path, {"gold": GOLD, "second": SECOND}, local=LOCAL, prior=PRIOR)
    result = run_stage(tmp_path, "local", "prior")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "metrics").read_text())
    assert list(metrics) == ["local", "prior", "agreement"]
    assert metrics["local"]["fine"]["accuracy"] == 0.4
    assert metrics["agreement"]["gold_vs_second"]["turns"] == 3
    with (tmp_path / "confusion").open() as file:
        points = Counter((row["detector"], row["predicted"]) for row in csv.DictReader(file))
    assert points["local", "unlabeled"] == 2
    assert sum(points.values()) == 3 + 5 + 6


def test_tables_are_read_as_label_sets(tmp_path):
    write_tables(tmp_path, {"gold": GOLD, "second": SECOND}, local=LOCAL)
    sets = read_label_sets(tmp_path / "labels.parquet", tmp_path, ["local"])
    assert sets.annotators == {"gold": GOLD, "second": SECOND}
    assert sets.predictions == {"local": LOCAL}
    assert list(sets.list_labels()) == ["gold", "second", "local"]


def test_the_stage_names_a_detector_without_labels(tmp_path):
    write_tables(tmp_path, {"gold": GOLD})
    result = run_stage(tmp_path, "absent")
    assert result.exit_code == 1
    assert "absent.parquet: no such table" in result.output


def test_an_annotator_may_not_have_a_detector_s_name(tmp_path):
    write_tables(tmp_path, {"gold": GOLD, "local": SECOND}, local=LOCAL)
    result = run_stage(tmp_path, "local")
    assert result.exit_code == 1
    assert "annotator 'local' has a detector's name; rename local.csv" in result.output
