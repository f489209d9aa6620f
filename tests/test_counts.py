import csv
import json
from math import sqrt

import pandas as pd
import pytest
from click.testing import CliRunner

from feedback_lens.analysis.counts import count_feedback, distribute_labels, list_label_shares
from feedback_lens.analysis.intervals import wilson_interval
from feedback_lens.feedback.labels import FINE, LABELS
from feedback_lens.stages.count_feedback import main
from feedback_lens.tables import write_rows

ROWS = [
    {"conversation_id": name, "turn": turn, "label": label}
    for name, turn, label in [
        ("a", 2, "NEG_1"),
        ("a", 3, "NEU"),
        ("b", 2, "NEU"),
        ("c", 2, "POS"),
        ("c", 3, None),
        ("d", 2, "NEU"),
        ("d", 5, "NEG_2"),
        ("d", 9, "NEG_2"),
    ]
]
FRAME = pd.DataFrame(ROWS)


def wilson(successes, n):
    z = 1.959963984540054  # 97.5th percentile of the standard normal
    center = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * sqrt(successes * (n - successes) / n + z * z / 4)
    return center - half, center + half


def test_feedback_is_counted_by_turn_with_a_wilson_interval():
    by_turn = count_feedback(FRAME)["by_turn"]
    second = by_turn["2"]
    assert (second["turns"], second["feedback"], second["share"]) == (4, 2, 0.5)
    assert (second["low"], second["high"]) == pytest.approx(wilson(2, 4))
    assert by_turn["5+"]["turns"] == 2
    # both are of one conversation, which counts as one turn: z^2 = 3.8415; 1 / (1 + 3.8415)
    assert by_turn["5+"]["low"] == pytest.approx(0.206549, abs=1e-6)
    assert by_turn["5+"]["high"] == 1
    assert by_turn["5+"]["share"] == 1


def test_an_unlabeled_turn_is_counted_apart_and_in_no_share():
    counts = count_feedback(FRAME)
    assert (counts["turns"], counts["unlabeled"], counts["conversations"]) == (8, 1, 4)
    third = counts["by_turn"]["3"]
    assert (third["turns"], third["unlabeled"], third["feedback"]) == (2, 1, 0)
    assert third["share"] == 0


def test_turns_that_do_not_occur_have_null_shares():
    fourth = count_feedback(FRAME)["by_turn"]["4"]
    assert fourth == {
        "turns": 0,
        "unlabeled": 0,
        "feedback": 0,
        "share": None,
        "low": None,
        "high": None,
    }


def test_labels_share_the_labeled_turns():
    by_label = count_feedback(FRAME)["by_label"]
    assert set(by_label) == set(FINE)
    assert by_label["NEG_2"]["count"] == 2
    assert by_label["NEG_2"]["share"] == 2 / 7  # 8 turns less one unlabeled
    assert sum(entry["share"] for entry in by_label.values()) == pytest.approx(1)


def test_turns_of_one_conversation_are_not_counted_as_independent():
    # a: 4 turns, all NEG_2; b: 4 turns, none; c: one of two. 5 of 10 turns
    turns = {"a": ["NEG_2"] * 4, "b": ["NEU"] * 4, "c": ["NEG_2", "NEU"]}
    frame = pd.DataFrame(
        [
            {"conversation_id": name, "turn": turn, "label": label}
            for name, labels in turns.items()
            for turn, label in enumerate(labels, start=2)
        ]
    )
    found = count_feedback(frame)["by_label"]["NEG_2"]
    # scatter 2^2 + 2^2 + 0 = 8; robust variance 3/2 * 8 / 100 = 0.12; independent 0.25 / 9; design
    # effect 4.32; 10 / 4.32 effective turns
    assert (found["low"], found["high"]) == pytest.approx(wilson(10 / 4.32 / 2, 10 / 4.32))
    assert found["high"] - found["low"] > 1.4 * (wilson(5, 10)[1] - wilson(5, 10)[0])


def test_a_share_of_turns_that_are_each_of_another_conversation_has_wilson_s_interval():
    points = {row["label"]: row for row in list_label_shares(FRAME[FRAME["turn"] == 2])}
    assert set(points) == set(FINE)
    assert points["NEU"]["share"] == 2 / 4
    assert (points["NEU"]["low"], points["NEU"]["high"]) == pytest.approx(wilson_interval(0.5, 4))


def test_the_shares_of_all_turns_are_those_of_the_metrics():
    by_label = count_feedback(FRAME)["by_label"]
    assert list_label_shares(FRAME) == [{"label": name, **by_label[name]} for name in FINE]


def test_columns_beside_the_three_make_no_difference():
    assert count_feedback(FRAME.assign(annotator="gold")) == count_feedback(FRAME)


def test_the_distribution_has_every_turn_and_label():
    points = {(row["turn"], row["label"]): row for row in distribute_labels(FRAME)}
    assert len(points) == 4 * 6
    assert points["2", "NEU"]["share"] == 2 / 4
    assert points["3", "NEU"]["share"] == 1  # the unlabeled turn is not among its turns
    assert points["4", "POS"]["share"] is None
    second = points["2", "NEU"]
    assert (second["low"], second["high"]) == pytest.approx(wilson(2, 4))


@pytest.mark.parametrize("row", [("NEG_9", 2), ("NEU", 1)])
def test_rows_outside_the_ontology_are_not_dropped_silently(row):
    label, turn = row
    frame = pd.DataFrame([{"conversation_id": "a", "turn": turn, "label": label}])
    with pytest.raises(ValueError, match="outside the ontology"):
        count_feedback(frame)


def test_a_corpus_of_no_turns_counts_zero():
    counts = count_feedback(FRAME.iloc[:0])
    assert counts["turns"] == 0
    assert counts["by_label"]["POS"] == {"count": 0, "share": None, "low": None, "high": None}


def test_the_shares_of_the_paper_s_table_one_come_from_its_counts():
    # dense LMSYS, second turn: 43 of 74
    frame = pd.DataFrame(
        [
            {"conversation_id": str(i), "turn": 2, "label": "NEG_1" if i < 43 else "NEU"}
            for i in range(74)
        ]
    )
    second = count_feedback(frame)["by_turn"]["2"]
    assert (second["feedback"], second["turns"]) == (43, 74)
    assert second["share"] == pytest.approx(0.5811, abs=5e-5)


@pytest.mark.parametrize("rows", [ROWS, [{**row, "label": None} for row in ROWS], []])
def test_the_stage_writes_metrics_and_points(tmp_path, rows):
    write_rows(rows, tmp_path / "labels.parquet", LABELS)
    options = {name: str(tmp_path / name) for name in ("metrics", "plot", "label_plot")}
    arguments = [word for name, path in options.items() for word in (f"--{name}", path)]
    result = CliRunner().invoke(main, ["--labels", str(tmp_path / "labels.parquet"), *arguments])
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "metrics").read_text())
    assert metrics["turns"] == len(rows)
    with (tmp_path / "plot").open() as file:
        points = list(csv.DictReader(file))
    assert list(points[0]) == ["turn", "label", "count", "share", "low", "high"]
    assert sum(int(point["count"]) for point in points) == len(rows) - metrics["unlabeled"]
    with (tmp_path / "label_plot").open() as file:
        points = list(csv.DictReader(file))
    assert list(points[0]) == ["label", "count", "share", "low", "high"]
    assert sum(int(point["count"]) for point in points) == len(rows) - metrics["unlabeled"]
