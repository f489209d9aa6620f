import csv
import json
import tracemalloc
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.analysis.toxicity import TOXICITY, list_points, score_toxicity
from feedback_lens.analysis.toxicity_summary import summarize_toxicity
from feedback_lens.errors import InputError
from feedback_lens.moderation.scorers import ScoringPolicy
from feedback_lens.stages.score_toxicity import main
from feedback_lens.tables import read_json, read_rows, write_rows
from feedback_lens.training.splits import SPLITS
from moderation_server import serve

TODAY = date(2026, 11, 23)
POLICY = ScoringPolicy(
    scorer="perspective",
    attribute="TOXICITY",
    language="en",
    model="omni-moderation-latest",
    category="harassment",
    examples=Path("none.csv"),
    regularization=16.0,
)
PROMPTS = {"neg": ["x" * 80, "x" * 60], "pos": ["x" * 20, " "], "rand": ["x" * 30]}


def scored(**groups):
    return [
        {"split": split, "conversation_id": split, "turn": turn, "toxicity": x}
        for split, values in groups.items()
        for turn, x in enumerate(values)
    ]


def summarize(**groups):
    return summarize_toxicity(scored(**groups), resamples=200, seed=1)


def split_rows():
    return [
        {
            **dict.fromkeys(SPLITS.names),
            "split": split,
            "conversation_id": f"{split}{turn}",
            "turn": turn,
            "prompt": prompt,
        }
        for split, prompts in PROMPTS.items()
        for turn, prompt in enumerate(prompts, 1)
    ]


@pytest.fixture
def server(monkeypatch, tmp_path):
    with serve() as server:
        for name, value in server.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        # the packaged catalog's end of the service must not end this test
        (tmp_path / "catalog.yaml").write_text("services: {perspective: {shutdown: null}}")
        monkeypatch.setenv("FEEDBACK_LENS_CATALOG", str(tmp_path / "catalog.yaml"))
        yield server


def test_a_score_that_cannot_be_had_is_null_with_its_outcome_and_counted(server, tmp_path):
    rows, counts = score_toxicity(split_rows(), POLICY, tmp_path, TODAY)
    assert [(row["split"], row["turn"], row["toxicity"], row["outcome"]) for row in rows] == [
        ("neg", 1, 0.8, "answered"),
        ("neg", 2, 0.6, "answered"),
        ("pos", 1, 0.2, "answered"),
        ("pos", 2, None, "failed"),
        ("rand", 1, 0.3, "answered"),
    ]
    assert (counts["model"], counts["answered"], counts["failed"]) == ("perspective", 4, 1)
    assert (counts["calls"], counts["uncounted"]) == (5, 5)
    write_rows(rows, tmp_path / "t.parquet", TOXICITY)
    assert read_rows(tmp_path / "t.parquet") == rows
    assert [point["toxicity"] for point in list_points(rows)] == [0.8, 0.6, 0.2, 0.3]


def test_an_unknown_scorer_is_an_error_that_names_the_known_ones(tmp_path):
    policy = ScoringPolicy(**{**vars(POLICY), "scorer": "detoxify"})
    with pytest.raises(InputError, match="'detoxify' is none of local, perspective, openai_mod"):
        score_toxicity([], policy, tmp_path, TODAY)


def test_a_missing_folder_of_recorded_replies_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"none: no folder of recorded.*set run\.assistant"):
        score_toxicity(split_rows(), POLICY, tmp_path / "none", TODAY)


def test_a_split_is_described_by_mean_quartiles_and_the_share_above_one_half():
    # of 0, .1, .2, .7: positions .75, 1.5, 2.25 give .075, .15 and .2 + .25 * .5
    neg = summarize(neg=[0.7, None, 0.0, 0.2, 0.1])["neg"]
    low, high = neg.pop("low"), neg.pop("high")
    expected = {"n": 4, "unscored": 1, "mean": 0.25, "above_half": 0.25}
    assert neg == pytest.approx(expected | {"q1": 0.075, "median": 0.15, "q3": 0.325})
    # no draw of four scores has a mean below 0 or above .7
    assert 0 <= low < 0.25 < high <= 0.7


def test_a_score_of_exactly_one_half_is_not_above_it():
    assert summarize(pos=[0.5, 0.51])["pos"]["above_half"] == 0.5


def test_a_split_without_a_score_has_nulls_and_no_test():
    summary = summarize(neg=[0.1], pos=[None])
    assert summary["pos"].pop("n") == 0
    assert summary["pos"].pop("unscored") == 1
    assert set(summary["pos"].values()) == {None}
    test = summary["rank_tests"]["pos_vs_neg"]
    assert (test.pop("n_first"), test.pop("n_second")) == (0, 1)
    assert set(test.values()) == {None}


def test_random_prompts_that_drew_feedback_are_described_and_not_compared_with_it():
    rows = scored(neg=[0.7, 0.8], pos=[0.5], rand=[0.1, 0.2])
    # two prompts of neg, of which one's turn number is that of a random prompt; one of pos
    rows += [{**row, "split": "rand"} for row in rows[:3]]
    summary = summarize_toxicity(rows, resamples=20, seed=1)
    assert (summary["rand"]["n"], summary["rand"]["median"]) == (5, 0.5)
    tests = summary["rank_tests"]
    # neg against .1, .2, .5: above all; pos against .1, .2, .7, .8: above half
    assert (tests["neg_vs_rand"]["n_second"], tests["neg_vs_rand"]["delta"]) == (3, 1)
    assert (tests["pos_vs_rand"]["n_second"], tests["pos_vs_rand"]["delta"]) == (4, 0)


def test_the_bootstrap_of_many_prompts_takes_little_memory():
    # all weights at once would be 8 bytes * 20,000 prompts * 1,000 draws = 160 MB, and twice that
    # while they are drawn
    rows = scored(neg=[number / 20_000 for number in range(20_000)])
    tracemalloc.start()
    summarize_toxicity(rows, resamples=1000, seed=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120e6


def test_the_tests_are_corrected_over_the_three_pairs():
    # three against three, all apart: p = .1 for each pair, and .1 * 3 by Holm
    summary = summarize(neg=[0.7, 0.8, 0.9], pos=[0.1, 0.2, 0.3], rand=[0.4, 0.5, 0.6])
    tests = summary["rank_tests"]
    assert list(tests) == ["neg_vs_rand", "pos_vs_rand", "pos_vs_neg"]
    assert [test["delta"] for test in tests.values()] == [1, -1, -1]
    assert [test["p"] for test in tests.values()] == pytest.approx([0.1] * 3)
    assert [test["p_holm"] for test in tests.values()] == pytest.approx([0.3] * 3)


GROUP = st.lists(st.none() | st.floats(0, 1), max_size=8)


@given(GROUP, GROUP, GROUP)
def test_the_summary_is_always_json_and_misses_no_row(neg, pos, rand):
    summary = summarize_toxicity(scored(neg=neg, pos=pos, rand=rand), resamples=20, seed=1)
    json.dumps(summary, allow_nan=False)
    for split, values in (("neg", neg), ("pos", pos), ("rand", rand)):
        assert summary[split]["n"] + summary[split]["unscored"] == len(values)


def test_the_stage_writes_table_counts_metrics_and_plot(server, tmp_path):
    write_rows(split_rows(), tmp_path / "splits.parquet", SPLITS)
    outs = {name: tmp_path / name for name in ("toxicity", "counts", "metrics", "plot")}
    words = ["--splits", tmp_path / "splits.parquet", "--assistant", tmp_path]
    for name, path in outs.items():
        words += [f"--{name}", path]
    for name, value in vars(POLICY).items():
        words += [f"--{name}", value]
    words += ["--rows_per_split", None, "--resamples", 50, "--seed", 1]
    CliRunner().invoke(main, list(map(str, words)), catch_exceptions=False)
    assert len(read_rows(outs["toxicity"])) == 5
    assert read_json(outs["counts"])["failed"] == 1
    metrics = read_json(outs["metrics"])
    assert (metrics["scorer"], metrics["model"]) == ("perspective", "perspective")
    assert metrics["neg"]["mean"] == pytest.approx(0.7)
    with outs["plot"].open(newline="") as file:
        points = list(csv.DictReader(file))
    assert points[0] == {"split": "neg", "toxicity": "0.8"}
    assert len(points) == 4
