import csv
import json

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.analysis.comparison import compare_replies, win_rate
from feedback_lens.stages.compare_replies import main
from feedback_lens.tables import write_rows

A = {("x", 1): 2.0, ("y", 1): 1.0, ("z", 1): 3.0, ("w", 1): 0.0}
B = {("x", 1): 1.0, ("y", 1): 1.0, ("z", 1): 4.0, ("v", 1): 9.0}


def test_a_tie_counts_half_and_is_reported():
    # x won, y tied, z lost: (1 + 1/2) / 3; w and v stand on one side only
    result = win_rate(A, B, resamples=50, seed=1)
    assert (result["win_rate"], result["ties"], result["n"]) == (0.5, 1, 3)
    assert 0 <= result["low"] <= 0.5 <= result["high"] <= 1


def test_a_comparison_without_pairs_is_kept_with_null():
    result = win_rate(A, {}, resamples=50, seed=1)
    assert result == {"win_rate": None, "ties": 0, "n": 0, "low": None, "high": None}


def test_one_pair_has_no_interval():
    result = win_rate({("x", 1): 1.0}, {("x", 1): 0.0}, resamples=50, seed=1)
    assert (result["win_rate"], result["low"], result["high"]) == (1, None, None)


def test_the_interval_is_that_of_drawing_the_pairs_themselves():
    generator = np.random.default_rng(7)
    outcomes = generator.choice([0.0, 0.5, 1.0], p=[0.3, 0.1, 0.6], size=200)
    a = {(str(i), 1): value for i, value in enumerate(outcomes)}
    b = dict.fromkeys(a, 0.5)
    result = win_rate(a, b, resamples=4000, seed=1)
    means = generator.choice(outcomes, size=(4000, 200)).mean(1)
    expected = np.percentile(means, [2.5, 97.5])
    assert (result["low"], result["high"]) == pytest.approx(tuple(expected), abs=0.01)


scores = st.dictionaries(
    st.tuples(st.sampled_from("abcdef"), st.integers(1, 2)), st.integers(-3, 3), min_size=0
)


@given(scores, scores)
def test_the_win_rates_of_both_sides_add_up_to_one(a, b):
    one, other = win_rate(a, b, 10, 1), win_rate(b, a, 10, 1)
    assert one["n"] == other["n"]
    if one["n"]:
        assert one["win_rate"] + other["win_rate"] == pytest.approx(1)


def row(split, turn, candidate, with_feedback, score, name="x"):
    return {
        "split": split,
        "conversation_id": name,
        "turn": turn,
        "candidate": candidate,
        "with_feedback": with_feedback,
        "score": score,
    }


ROWS = [
    row("rand", 1, "weak", False, 0.0),
    row("rand", 1, "scratch", False, 1.0),
    row("neg", 1, "weak", True, 0.5),
    row("neg", 1, "weak_next", True, 0.4),
    row("neg", 1, "scratch", True, 0.5),
    row("neg", 1, "semantic", True, 0.9),
    row("neg", 1, "semantic", False, -1.0),
    row("neg", 1, "weak", False, 0.0),
    row("neg", 2, "semantic", True, None),
    row("neg", 2, "weak", True, 0.1),
]


def test_all_rows_of_the_paper_s_tables_are_there():
    result = compare_replies(ROWS, resamples=10, seed=1)
    assert {split: set(pairs) for split, pairs in result.items()} == {
        "rand": {"scratch_vs_weak"},
        "neg": {
            "scratch_vs_weak",
            "semantic_vs_weak",
            "semantic_vs_weak_next",
            "semantic_vs_scratch",
            "weak_next_vs_weak",
        },
    }
    assert all(
        set(settings) == {"with_feedback", "without_feedback"}
        for pairs in result.values()
        for settings in pairs.values()
    )


def test_splits_and_settings_are_kept_apart():
    result = compare_replies(ROWS, resamples=10, seed=1)
    assert result["rand"]["scratch_vs_weak"]["without_feedback"]["win_rate"] == 1
    assert result["rand"]["scratch_vs_weak"]["with_feedback"]["n"] == 0
    negative = result["neg"]
    assert negative["scratch_vs_weak"]["with_feedback"]["win_rate"] == 0.5  # 0.5 against 0.5
    assert negative["semantic_vs_weak"]["with_feedback"]["win_rate"] == 1  # turn 2 has no score
    assert negative["semantic_vs_weak"]["with_feedback"]["n"] == 1
    assert negative["semantic_vs_weak"]["without_feedback"]["win_rate"] == 0
    assert negative["weak_next_vs_weak"]["with_feedback"]["win_rate"] == 0


def test_the_stage_writes_the_win_rates(tmp_path):
    schema = pa.schema(
        [
            ("split", pa.string()),
            ("conversation_id", pa.string()),
            ("turn", pa.int32()),
            ("candidate", pa.string()),
            ("with_feedback", pa.bool_()),
            ("score", pa.float64()),
        ]
    )
    write_rows(ROWS, tmp_path / "scores.parquet", schema)
    paths = ["--scores", str(tmp_path / "scores.parquet"), "--metrics", str(tmp_path / "m.json")]
    paths += ["--plot", str(tmp_path / "plot.csv")]
    result = CliRunner().invoke(main, [*paths, "--resamples", "10", "--seed", "1"])
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["neg"]["semantic_vs_weak_next"]["with_feedback"]["win_rate"] == 1
    with (tmp_path / "plot.csv").open() as file:
        points = list(csv.DictReader(file))
    # one pair of random replies and five of criticized ones, in two settings
    assert len(points) == 12
    pair = {"split": "neg", "a": "semantic", "b": "weak_next", "setting": "with_feedback"}
    rate = {"win_rate": "1.0", "low": "", "high": "", "ties": "0", "n": "1"}
    assert {**pair, **rate} in points
