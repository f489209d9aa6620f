import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from feedback_lens.errors import InputError
from feedback_lens.feedback.agreement import accuracy_interval, cohen_kappa, kappa_interval
from feedback_lens.feedback.detector_evaluation import evaluate_detectors, list_confusions
from feedback_lens.feedback.evaluation import binary_from_counts, confusion, evaluate_labels
from feedback_lens.feedback.labels import FINE, LABELS
from feedback_lens.stages.evaluate_detector import main
from feedback_lens.tables import write_rows

REAL = Path(__file__).parents[2] / "shared" / "real"
needs_real_data = pytest.mark.skipif(not REAL.exists(), reason="real data, not in Git: ../shared")

GOLD = ["NEG_1", "NEG_2", "NEG_3", "POS", "NEU", "NEU", "NEU", "NEG_4"]
PREDICTED = ["NEG_1", "NEG_1", "NEU", "POS", "NEU", "NEG_2", None, None]


def test_binary_shares_count_every_turn_once():
    binary = evaluate_labels(GOLD, PREDICTED)["binary"]
    # 8 turns: tp 3 (1, 2, 4), fn 2 (3, and 8 that is unlabeled), fp 1 (6), tn 1 (5), turn 7 neutral
    # and unlabeled
    assert binary["true_positive"] == 3 / 8
    assert binary["false_negative"] == 2 / 8
    assert binary["false_positive"] == 1 / 8
    assert binary["true_negative"] == 1 / 8
    assert binary["unlabeled_neutral"] == 1 / 8
    # precision 3 / (3 + 1), recall 3 / (3 + 2), f1 2 * 0.75 * 0.6 / 1.35 = 2 / 3
    assert binary["precision"] == pytest.approx(0.75)
    assert binary["recall"] == pytest.approx(0.6)
    assert binary["f1"] == pytest.approx(2 / 3)
    assert binary["accuracy"] == 4 / 8


def test_an_unlabeled_turn_is_wrong_and_a_miss_at_every_granularity():
    metrics = evaluate_labels(GOLD, PREDICTED)
    assert metrics["turns"] == 8
    assert metrics["unlabeled"] == 2
    # three-way right: turns 1, 2, 4, 5; fine right: 1, 4, 5
    assert metrics["three_way"]["accuracy"] == 4 / 8
    assert metrics["fine"]["accuracy"] == 3 / 8
    # gold NEU 3 times, one of them found
    assert metrics["fine"]["NEU"]["recall"] == pytest.approx(1 / 3)
    assert metrics["fine"]["NEU"]["support"] == 3
    assert metrics["fine"]["NEG_4"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}


def test_three_way_averages_are_over_classes_and_over_turns():
    three_way = evaluate_labels(GOLD, PREDICTED)["three_way"]
    # NEG: predicted 3 (two right), gold 4: p 2/3, r 1/2, f1 4/7; POS: all 1; NEU: predicted 2 (one
    # right), gold 3: p 1/2, r 1/3, f1 2/5
    assert three_way["NEG"]["f1"] == pytest.approx(4 / 7)
    assert three_way["macro"]["precision"] == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert three_way["macro"]["f1"] == pytest.approx((4 / 7 + 1 + 2 / 5) / 3)
    assert three_way["weighted"]["recall"] == pytest.approx((4 * 1 / 2 + 1 + 3 * 1 / 3) / 8)


def test_a_class_that_nobody_used_does_not_pull_the_macro_average_down():
    metrics = evaluate_labels(["NEU", "NEG_1"], ["NEU", "NEG_1"])
    assert metrics["fine"]["macro"]["f1"] == 1
    assert metrics["fine"]["POS"]["support"] == 0


def test_a_class_that_was_only_predicted_does():
    # NEU: p 1, r 1/2, f1 2/3; POS: f1 0
    metrics = evaluate_labels(["NEU", "NEU"], ["NEU", "POS"])
    assert metrics["fine"]["macro"]["f1"] == pytest.approx(1 / 3)


def test_all_turns_unlabeled_score_zero():
    metrics = evaluate_labels(["NEU", "NEU"], [None, None])
    assert metrics["binary"]["accuracy"] == 0
    assert metrics["binary"]["unlabeled_neutral"] == 1
    assert metrics["fine"]["macro"]["f1"] == 0


@pytest.mark.parametrize(("gold", "predicted"), [([], []), (["NEU"], [])])
def test_nothing_to_evaluate_is_an_error(gold, predicted):
    with pytest.raises(ValueError, match="gold and"):
        evaluate_labels(gold, predicted)


# tp, fp, fn, tn and the printed percentages: fp, fn, tp, tn, accuracy, recall, precision
PUBLISHED = {
    "table 6, prior": ((48, 9, 59, 0), (7.76, 50.86, 41.38, 0.00, 41.38, 44.86, 84.21)),
    "table 6, ours": ((74, 0, 33, 68), (0.00, 18.86, 42.29, 38.86, 81.14, 69.16, 100.00)),
    "table 7, prior": ((57, 18, 154, 22), (7.17, 61.36, 22.71, 8.77, 31.47, 27.01, 76.00)),
    "table 7, ours": ((33, 21, 59, 24), (15.32, 43.07, 24.09, 17.52, 41.61, 35.87, 61.11)),
}


@pytest.mark.parametrize("table", PUBLISHED)
def test_counts_give_the_percentages_of_the_paper(table):
    counts, printed = PUBLISHED[table]
    binary = binary_from_counts(*counts)
    names = (
        "false_positive",
        "false_negative",
        "true_positive",
        "true_negative",
        "accuracy",
        "recall",
        "precision",
    )
    # the paper both rounds and cuts: 21 / 137 = 15.328 is printed 15.32
    assert [100 * binary[name] for name in names] == pytest.approx(printed, abs=0.01)


def test_confusion_has_a_row_for_each_turn():
    assert confusion(["NEG_1", "POS"], ["NEG_2", None], "three_way") == [
        {"actual": "NEG", "predicted": "NEG"},
        {"actual": "POS", "predicted": "unlabeled"},
    ]


def test_kappa_corrects_agreement_for_chance():
    # 3 of 4 agree; chance (2/4 * 1/4) + (2/4 * 3/4) = 1/2; (3/4 - 1/2) / (1 - 1/2) = 1/2
    assert cohen_kappa(["a", "a", "b", "b"], ["a", "b", "b", "b"]) == pytest.approx(0.5)


def test_kappa_of_one_single_label_is_null():
    assert cohen_kappa(["NEU", "NEU"], ["NEU", "NEU"]) is None


annotations = st.lists(
    st.tuples(st.sampled_from(FINE), st.sampled_from(FINE), st.sampled_from("abcde")),
    min_size=2,
    max_size=40,
)


@given(annotations)
def test_kappa_is_symmetric_and_at_most_one(turns):
    first, second, _ = zip(*turns, strict=True)
    kappa = cohen_kappa(first, second)
    if kappa is not None:
        assert kappa <= 1 + 1e-12
        assert kappa == pytest.approx(cohen_kappa(second, first))
        assert (kappa > 1 - 1e-12) == (first == second)


@settings(max_examples=30, deadline=None)
@given(annotations)
def test_intervals_do_not_depend_on_the_order_of_turns(turns):
    forward, backward = zip(*turns, strict=True), zip(*reversed(turns), strict=True)
    one = kappa_interval(*forward, resamples=50, seed=3)
    assert one == pytest.approx(kappa_interval(*backward, resamples=50, seed=3))


def test_resampled_kappas_are_those_of_the_drawn_conversations():
    # Each of two conversations alone, or both: the interval's ends are the extreme kappas.
    first = ["a", "a", "b", "b", "a", "b", "a", "b"]
    second = ["a", "a", "b", "b", "b", "b", "a", "a"]
    conversations = ["x"] * 4 + ["y"] * 4
    low, high = kappa_interval(first, second, conversations, resamples=400, seed=1)
    assert low == pytest.approx(cohen_kappa_score(first[4:], second[4:]))  # 0
    assert high == pytest.approx(cohen_kappa_score(first[:4], second[:4]))  # 1
    # accuracy: y alone 2/4, x alone 4/4
    interval = accuracy_interval(first, second, conversations, resamples=400, seed=1)
    assert interval == pytest.approx((0.5, 1.0))


def test_the_seed_decides_the_interval():
    first, second = FINE * 4, (*FINE[1:], FINE[0], *FINE * 3)
    names = [str(index // 2) for index in range(24)]
    assert kappa_interval(first, second, names, 99, 1) == kappa_interval(
        first, second, names, 99, 1
    )
    assert kappa_interval(first, second, names, 99, 1) != kappa_interval(
        first, second, names, 99, 2
    )


def test_one_conversation_has_no_interval():
    assert kappa_interval(["a", "b"], ["a", "b"], ["x", "x"], 10, 1) == (None, None)
    assert accuracy_interval(["a", "b"], ["a", "b"], ["x", "x"], 10, 1) == (None, None)


GOLD_TURNS = {("x", 2): "NEG_1", ("x", 3): "NEU", ("y", 2): "POS", ("z", 2): "NEU"}
SECOND = {("x", 2): "NEG_2", ("x", 3): "NEU", ("y", 2): "POS"}
DETECTED = {("x", 2): "NEG_1", ("x", 3): "NEG_1", ("y", 2): None, ("w", 2): "POS"}


def test_a_detector_is_evaluated_on_the_turns_it_shares_with_gold():
    metrics = evaluate_detectors(GOLD_TURNS, SECOND, {"local": DETECTED}, resamples=20, seed=1)
    local = metrics["local"]
    assert (local["turns"], local["missing_turns"], local["conversations"]) == (3, 1, 2)
    assert local["unlabeled"] == 1
    assert local["fine"]["accuracy"] == pytest.approx(1 / 3)
    assert local["predicted_per_conversation"] == 1.0  # two feedback turns in x and y
    assert local["fine"]["accuracy_low"] <= 1 / 3 <= local["fine"]["accuracy_high"]
    assert set(local["kappa"]) == {"binary", "three_way", "fine"}


def test_annotators_are_compared_on_turns_that_both_labeled():
    annotators = evaluate_detectors(GOLD_TURNS, SECOND, {}, resamples=20, seed=1)["annotators"]
    assert (annotators["turns"], annotators["conversations"]) == (3, 2)
    assert annotators["kappa"]["three_way"]["kappa"] == 1
    # fine: 2 of 3 agree; chance: NEU 1/9 + POS 1/9 = 2/9; (6/9 - 2/9) / (7/9) = 4/7
    assert annotators["kappa"]["fine"]["kappa"] == pytest.approx(4 / 7)


def test_labels_of_another_corpus_are_an_error_with_the_detector_s_name():
    with pytest.raises(InputError, match="prompted: none of the 4 gold turns"):
        evaluate_detectors(GOLD_TURNS, SECOND, {"prompted": {}}, resamples=20, seed=1)


def test_confusions_name_detector_and_turn_count():
    rows = list_confusions(GOLD_TURNS, {"local": DETECTED})
    assert rows[1] == {"detector": "local", "actual": "NEU", "predicted": "NEG_1"}
    assert len(rows) == 3


def write_gold(path, gold):
    lines = ["conversation_id,turn,labels", *(f"{c},{t},{label}" for (c, t), label in gold.items())]
    path.write_text("\n".join(lines) + "\n")


def run_stage(folder, *detectors):
    names = [word for name in detectors for word in ("--detectors", name)]
    paths = {name: folder / name for name in ("gold", "second", "metrics", "confusion")}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    settings = ["--labels_folder", str(folder), "--resamples", "20", "--seed", "1"]
    return CliRunner().invoke(main, [*options, *names, *settings])


def test_the_stage_writes_metrics_and_confusions(tmp_path):
    write_gold(tmp_path / "gold", GOLD_TURNS)
    write_gold(tmp_path / "second", SECOND)
    rows = [{"conversation_id": c, "turn": t, "label": label} for (c, t), label in DETECTED.items()]
    write_rows(rows, tmp_path / "local.parquet", LABELS)
    result = run_stage(tmp_path, "local")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "metrics").read_text())
    assert metrics["local"]["fine"]["accuracy"] == 0.333333
    assert metrics["annotators"]["turns"] == 3
    with (tmp_path / "confusion").open() as file:
        points = Counter(row["predicted"] for row in csv.DictReader(file))
    assert points == {"NEG_1": 2, "unlabeled": 1}


def test_the_stage_names_a_detector_without_labels(tmp_path):
    write_gold(tmp_path / "gold", GOLD_TURNS)
    write_gold(tmp_path / "second", SECOND)
    result = run_stage(tmp_path, "absent")
    assert result.exit_code == 1
    assert "absent.parquet: no such table" in result.output


@needs_real_data
def test_the_published_figures_of_real_labels_come_out():
    path = REAL / "feedback_labels" / "wildchat_dense.jsonl"
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    gold = [row["gold"] for row in rows]
    predicted = [row["frozen_qwen3_4b"] for row in rows]
    metrics = evaluate_labels(gold, predicted)
    assert metrics["turns"] == 205
    assert metrics["fine"]["accuracy"] == 0.3902439024390244
    assert metrics["fine"]["macro"]["f1"] == pytest.approx(0.3977470581380924, abs=1e-15)
    assert metrics["fine"]["accuracy"] == accuracy_score(gold, predicted)
    assert metrics["fine"]["macro"]["f1"] == f1_score(gold, predicted, average="macro")
    # NEG against the rest: tp 136, fp 24, fn 30
    negative = metrics["three_way"]["NEG"]
    assert negative["support"] == 136 + 30
    assert negative["recall"] == pytest.approx(136 / (136 + 30))
    assert negative["precision"] == pytest.approx(136 / (136 + 24))
    pairs = Counter(tuple(row.values()) for row in confusion(gold, predicted, "three_way"))
    assert sum(n for (a, p), n in pairs.items() if "NEG" not in (a, p)) == 15  # tn
    low, high = kappa_interval(
        gold, predicted, [row["conversation_hash"] for row in rows], resamples=500, seed=1
    )
    assert low < cohen_kappa(gold, predicted) < high
