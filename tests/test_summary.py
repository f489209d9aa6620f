import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from feedback_lens.benchmarks.cells import Cells, Model, read_judgments
from feedback_lens.benchmarks.summary import list_scores, score_rows, summarize, summarize_runs
from feedback_lens.errors import InputError
from feedback_lens.stages.summarize import main
from feedback_lens.tables import write_json
from judgments import judged, write_judgments

REAL = Path(__file__).parents[2] / "shared" / "real"
needs_real_data = pytest.mark.skipif(not REAL.exists(), reason="real data, not in Git: ../shared")
CELLS = Cells(("mt_bench",), ("reference",), ("tiny",), ("lmsys",), ("kto",), (1, 2))


def test_a_score_is_the_mean_over_the_rows_that_have_one():
    assert score_rows("mt_bench", judged(4, 6, None, 8)) == 6


def test_wildbench_is_shown_on_the_paper_s_scale():
    # (6 - 5) * 20
    assert score_rows("wildbench", judged(4, 6, None, 8)) == 20


def test_a_benchmark_without_a_scale_is_an_error():
    with pytest.raises(InputError, match="'arena' has no scale; mt_bench, wildbench are known"):
        score_rows("arena", judged(4))


def test_mean_and_spread_are_over_seeds():
    summary = summarize_runs("mt_bench", [judged(4, 6, None, 8), judged(4, 2, 4, 6)])
    # scores 6 and 4: mean 5, sample standard deviation sqrt((1 + 1) / 1)
    assert summary["mean"] == 5
    assert summary["spread"] == pytest.approx(2**0.5)
    assert (summary["seeds"], summary["unscored"]) == (2, 1)
    # first turns: 4 and (4 + 4) / 2; second turns: (6 + 8) / 2 and (2 + 6) / 2
    assert (summary["turn_1"], summary["turn_2"]) == (4, 5.5)
    # writing: (4 + 6) / 2 and (4 + 2) / 2; math: 8 and (4 + 6) / 2
    assert summary["categories"] == {"math": 6.5, "writing": 4}


def test_one_seed_has_no_spread():
    assert summarize_runs("mt_bench", [judged(4, 6)])["spread"] is None


def test_a_seed_without_any_score_is_not_among_the_seeds():
    summary = summarize_runs("mt_bench", [judged(4, 6), judged(None, None)])
    assert (summary["mean"], summary["seeds"], summary["unscored"]) == (5, 1, 2)
    assert summarize_runs("mt_bench", [judged(None)])["mean"] is None


def test_single_turn_benchmarks_have_no_means_by_turn():
    assert "turn_1" not in summarize_runs("wildbench", [judged(4)])


def tables():
    models = {
        Model("tiny", None, "base", None): judged(3, 5),
        Model("tiny", "lmsys", "kto", 1): judged(4, 6),
        Model("tiny", "lmsys", "kto", 2): judged(6, None),
    }
    return {("mt_bench", "reference"): models}


def test_the_untrained_base_stands_beside_the_recipes():
    tiny = summarize(tables(), CELLS)["mt_bench"]["reference"]["tiny"]
    assert tiny["base"]["mean"] == 4
    assert tiny["lmsys"]["kto"]["mean"] == 5.5
    assert tiny["lmsys"]["kto"]["unscored"] == 1


def test_points_carry_error_bars():
    base, kto = list_scores(tables(), CELLS)
    assert (base["corpus"], base["recipe"], base["low"], base["high"]) == (None, "base", 4, 4)
    # scores 5 and 6: spread sqrt(1/2)
    assert (kto["low"], kto["high"]) == pytest.approx((5.5 - 0.5**0.5, 5.5 + 0.5**0.5))


def test_exactly_the_cells_are_read(tmp_path):
    stale = {Model("tiny", "lmsys", "kto", 3): judged(1, 1)}
    write_judgments(tmp_path, tables()["mt_bench", "reference"] | stale)
    read = read_judgments(tmp_path, CELLS)["mt_bench", "reference"]
    assert set(read) == set(tables()["mt_bench", "reference"])
    assert summarize(read_judgments(tmp_path, CELLS), CELLS) == summarize(tables(), CELLS)


@pytest.mark.parametrize(
    ("model", "rows", "message"),
    [
        (Model("tiny", "lmsys", "kto", 2), [], "'tiny', lmsys, kto, seed 2 has 0 judgments"),
        (
            Model("tiny", None, "base", None),
            [],
            r"'tiny' \(untrained\) has 0 judgments where 2 are",
        ),
        (Model("tiny", "lmsys", "kto", 1), judged(4), "seed 1 has 1 judgments where 2 are"),
        (Model("tiny", "lmsys", "kto", 1), judged(4) * 3, "seed 1 has 3 judgments where 2 are"),
    ],
)
def test_a_missing_or_partial_cell_is_an_error(tmp_path, model, rows, message):
    write_judgments(tmp_path, tables()["mt_bench", "reference"] | {model: rows})
    with pytest.raises(InputError, match=rf"reference\.parquet: base .*{message}"):
        read_judgments(tmp_path, CELLS)


def test_a_table_without_any_of_the_cells_is_an_error(tmp_path):
    write_judgments(tmp_path, {Model("other", None, "base", None): judged(4, 6)})
    with pytest.raises(InputError, match=r"'tiny' \(untrained\) has 0 judgments where some are"):
        read_judgments(tmp_path, CELLS)


def write_cards(folder):
    preflight = dict.fromkeys(("rows", "held_out_rows", "truncated_rows", "dropped_rows"), 2)
    for seed, before, after, margin in ((1, 4.0, 3.0, 0.5), (2, 5.0, 3.5, None)):
        losses = {"before": before, "after": after}
        card = {"method": "kto", "preflight": preflight, "held_out_loss": losses}
        card |= {"held_out_reward_margin": margin}
        write_json(card, folder / "tiny" / "lmsys" / "kto" / f"{seed}.json")


def run_stage(folder, *seeds):
    axes = {"bases": "tiny", "corpora": "lmsys", "recipes": "kto", "benchmarks": "mt_bench"}
    axes |= {"judges": "reference", "judgments": folder, "metrics": folder / "m.json"}
    axes |= {"cards": folder / "cards", "training_metrics": folder / "t.json"}
    words = [str(w) for name, value in axes.items() for w in (f"--{name}", value)]
    words += [str(word) for seed in seeds for word in ("--seeds", seed)]
    return CliRunner().invoke(main, [*words, "--plot", str(folder / "scores.csv")])


def test_the_stage_writes_metrics_and_points(tmp_path):
    write_judgments(tmp_path, tables()["mt_bench", "reference"])
    write_cards(tmp_path / "cards")
    result = run_stage(tmp_path, 1, 2)
    assert result.exit_code == 0, result.output
    training = json.loads((tmp_path / "t.json").read_text())["tiny"]["lmsys"]["kto"]
    # means over seeds 1 and 2: (4 + 5) / 2, (3 + 3.5) / 2; the margin of seed 2 is not known
    assert training["held_out_loss"] == {"before": 4.5, "after": 3.25}
    assert training["held_out_reward_margin"] == 0.5
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["mt_bench"]["reference"]["tiny"]["lmsys"]["kto"]["spread"] == 0.707107
    with (tmp_path / "scores.csv").open() as file:
        assert [row["mean"] for row in csv.DictReader(file)] == ["4.0", "5.5"]


def test_the_stage_fails_where_a_seed_is_missing(tmp_path):
    write_judgments(tmp_path, tables()["mt_bench", "reference"])
    result = run_stage(tmp_path, 1, 2, 3)
    assert result.exit_code == 1
    assert "seed 3 has 0 judgments" in result.output


# published: first turn, second turn, all
MT_BENCH = {
    "vicuna-7b-v1.3": (6.7313, 5.4750, 6.1031),
    "vicuna-7b-v1.3-greedy": (6.5187, 5.2375, 5.8781),
    "medusa-vicuna-7b-v1.3-1-temperature-0.0-posterior_threshold-0.09-posterior_alpha-0.3": (
        6.7938,
        5.1813,
        5.9875,
    ),
}


@needs_real_data
@pytest.mark.parametrize("model", MT_BENCH)
def test_published_mt_bench_means_come_from_real_judgments(model):
    path = REAL / "mt_bench" / "judgments_gpt-4_single.jsonl"
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    rows = [
        {**row, "category": "all", "score": None if row["score"] == -1 else row["score"]}
        for row in rows
        if row["model"] == model
    ]
    assert len(rows) == 160
    summary = summarize_runs("mt_bench", [rows])
    means = (summary["turn_1"], summary["turn_2"], summary["mean"])
    assert means == pytest.approx(MT_BENCH[model], abs=5.1e-5)  # four decimals, halves either way


@needs_real_data
@pytest.mark.parametrize(
    ("model", "count", "published"),
    [("gemma-2b-it", 1021, 4.73751), ("gpt-3.5-turbo-0125", 1023, 6.613880742913001)],
)
def test_published_wildbench_means_come_from_real_verdicts(model, count, published):
    path = REAL / "wildbench" / f"{model}.judge.jsonl"
    ratings = [float(json.loads(line)["score"]) for line in path.open(encoding="utf-8")]
    assert len(ratings) == count
    score = score_rows("wildbench", [{"score": rating} for rating in ratings])
    assert score == pytest.approx((published - 5) * 20, abs=20 * 5e-6)
    assert score / 20 + 5 == pytest.approx(published, abs=5e-6)
