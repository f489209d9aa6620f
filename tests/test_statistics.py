import json
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from feedback_lens.analysis.rank_tests import correct_holm
from feedback_lens.axes import Model
from feedback_lens.benchmarks.statistics import (
    compare_pair,
    compare_recipes,
    compare_runs,
    difference_interval,
    score_questions,
)
from feedback_lens.errors import InputError
from feedback_lens.stages.test_significance import main
from judged_rows import make_axes, redrawn, write_params, write_table
from judgments import judged

NOTHING = float("nan")


def column(*scores):
    return np.array(scores, dtype=float).reshape(-1, 1)


def test_a_question_s_score_is_its_mean_over_turns():
    # question 1: (4 + 6) / 2 and 8; question 2: 2 (its second turn is unscored) and nothing
    scores = score_questions("mt_bench", [judged(4, 6, 2, None), judged(8, 8, None, None)])
    assert scores[0].tolist() == [5, 8]
    assert scores[1, 0] == 2
    assert np.isnan(scores[1, 1])


def test_a_turn_s_score_is_its_mean_over_readable_draws():
    # question 1: ((4 + 8) / 2 + 7) / 2
    draws = judged(4, 7, 2) + redrawn(1, 8, None, None)
    assert score_questions("mt_bench", [draws]).tolist() == [[6.5], [2]]


def test_wildbench_scores_are_on_its_scale():
    assert score_questions("wildbench", [judged(4, 6.5)]).tolist() == [[5]]  # (5.25 - 5) * 20


def test_the_t_test_is_over_questions():
    # differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t = 2 sqrt(3)
    result = compare_pair(column(2, 4, 6), column(1, 2, 3), resamples=100, seed=1)
    assert result["mean_difference"] == 2
    assert result["t"] == pytest.approx(2 * 3**0.5)
    assert result["n"] == 3
    # with 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2) = 1 - sqrt(12 / 14)
    assert result["p"] == pytest.approx(1 - (12 / 14) ** 0.5)


def differ(pairs):
    return len({sum(a) - sum(b) for a, b in pairs}) > 1


def three_seeds(score):
    return st.tuples(score, score, score)


# questions, each with the scores of three seeds on either side
PAIRS = st.lists(
    st.tuples(three_seeds(st.integers(1, 10)), three_seeds(st.integers(1, 10))),
    min_size=3,
    max_size=20,
).filter(differ)


@given(PAIRS)
def test_p_is_that_of_scipy_s_paired_t_test_of_means_over_seeds(pairs):
    a, b = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    expected = ttest_rel(a.mean(1), b.mean(1))
    result = compare_pair(a, b, resamples=5, seed=1)
    assert (result["t"], result["p"]) == pytest.approx((expected.statistic, expected.pvalue))


@given(PAIRS)
def test_p_of_runs_is_that_of_scipy_s_paired_t_test_of_all_pairs(pairs):
    a, b = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    expected = ttest_rel(a.ravel(), b.ravel())
    result = compare_runs(a, b)
    assert result["n"] == 3 * len(pairs)
    assert (result["t"], result["p"]) == pytest.approx((expected.statistic, expected.pvalue))


def test_seeds_that_repeat_each_other_make_the_test_of_runs_too_sure():
    # differences 1, 2, 3 by each of two seeds: mean 2, standard deviation sqrt(4 / 5),
    # t = 2 sqrt(6) / sqrt(4 / 5) = sqrt(30), where the test over questions has sqrt(12)
    a, b = np.array([[2.0, 2], [4, 4], [6, 6]]), np.array([[1.0, 1], [2, 2], [3, 3]])
    result = compare_runs(a, b)
    assert (result["t"], result["n"]) == (pytest.approx(30**0.5), 6)
    assert result["p"] < compare_pair(a, b, resamples=5, seed=1)["p"]


def test_a_pair_without_both_scores_is_in_no_test_of_runs():
    a, b = np.array([[2.0, NOTHING], [4, 4]]), np.array([[1.0, 1], [NOTHING, 2]])
    assert compare_runs(a, b)["n"] == 2
    assert compare_runs(column(), column()) == {"t": None, "p": None, "n": 0}


def test_scores_are_averaged_over_seeds_before_the_test():
    a, b = np.array([[1.0, 3.0], [4.0, 4.0]]), np.array([[1.0, 1.0], [1.0, NOTHING]])
    # question 1: 2 - 1; question 2: 4 - 1
    assert compare_pair(a, b, resamples=5, seed=1)["mean_difference"] == 2


def test_a_question_that_one_side_has_no_score_for_is_left_out():
    result = compare_pair(column(2, 4, NOTHING), column(1, 2, 3), resamples=50, seed=1)
    assert (result["n"], result["mean_difference"]) == (2, 1.5)
    assert 1 <= result["low"] <= result["high"] <= 2


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [
        (column(1, 2, 3), column(1, 2, 3), 3),
        (column(1.1, 2.1, 3.1), column(1, 2, 3), 3),
        (column(4), column(2), 1),
        (column(NOTHING, NOTHING), column(1, 2), 0),
    ],
)
def test_a_test_that_says_nothing_has_null_p(a, b, n):
    result = compare_pair(a, b, resamples=10, seed=1)
    assert (result["t"], result["p"], result["n"]) == (None, None, n)


def test_no_shared_question_has_null_difference_and_interval():
    result = compare_pair(column(NOTHING, NOTHING), column(1, 2), resamples=10, seed=1)
    assert (result["mean_difference"], result["low"], result["high"]) == (None, None, None)


def test_the_interval_is_that_of_drawing_questions():
    generator = np.random.default_rng(5)
    a, b = generator.normal(6, 2, (80, 1)), generator.normal(5, 2, (80, 1))
    low, high = difference_interval(a, b, resamples=4000, seed=1)
    means = generator.choice((a - b)[:, 0], size=(4000, 80)).mean(1)
    assert (low, high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])), abs=0.06)


def test_seeds_that_differ_widen_the_interval():
    level = np.full((50, 2), 5.0)
    apart = np.tile([4.0, 6.0], (50, 1))
    assert difference_interval(level, level, 500, 1) == (0, 0)
    # the mean of two seeds drawn from 4 and 6 is 4, 5 or 6: with a quarter each at the ends
    assert difference_interval(apart, level, 500, 1) == (-1, 1)


def test_holm_multiplies_by_the_number_of_tests_left():
    # sorted .01, .02, .04, each times 3, 2, 1: .03, .04, .04
    corrected = correct_holm({"a": 0.04, "b": 0.01, "c": 0.02, "none": None})
    assert corrected == pytest.approx({"a": 0.04, "b": 0.03, "c": 0.04, "none": None})
    # .3 * 2 = .6, then .4 * 1 is raised to .6
    assert correct_holm({"a": 0.4, "b": 0.3}) == pytest.approx({"a": 0.6, "b": 0.6})


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers_p(values):
    corrected = correct_holm(dict(enumerate(values)))
    for index, value in enumerate(values):
        assert value <= corrected[index] <= 1
    order = sorted(range(len(values)), key=values.__getitem__)
    assert all(corrected[a] <= corrected[b] for a, b in pairwise(order))


RECIPES = ("rand_scratch", "neg_scratch", "kto")
BASE = Model("tiny", None, "base", None)
SCORES = {
    "rand_scratch": judged(4, 4, 5, 5, 3, 3),
    "neg_scratch": judged(5, 5, 7, 7, 6, 6),
    "kto": judged(4, 4, 5, 5, 3, 3),
}


def model(recipe, seed, base="tiny"):
    return Model(base, "lmsys", recipe, seed)


TABLE = {BASE: judged(*[1] * 6)} | {
    model(recipe, seed): rows for recipe, rows in SCORES.items() for seed in (1, 2)
}


def compare(folder, table=TABLE, reference="rand_scratch"):
    axes = make_axes(folder, recipes=RECIPES)
    judgments = {("mt_bench", "reference"): table}
    return compare_recipes(judgments, axes, reference, resamples=50, seed=1)


def test_every_recipe_is_tested_against_the_reference(tmp_path):
    recipes = compare(tmp_path)["mt_bench"]["reference"]["tiny"]["lmsys"]
    assert list(recipes) == ["neg_scratch", "kto"]
    # differences 1, 2, 3 as above; kto's are 0, so that one test is left to correct for
    assert recipes["neg_scratch"]["mean_difference"] == 2
    assert recipes["neg_scratch"]["p_holm"] == recipes["neg_scratch"]["p"]
    assert recipes["neg_scratch"]["runs"]["t"] == pytest.approx(30**0.5)
    assert recipes["kto"]["p"] is None
    assert recipes["kto"]["p_holm"] is None


def test_the_untrained_base_can_be_the_reference(tmp_path):
    recipes = compare(tmp_path, reference="base")["mt_bench"]["reference"]["tiny"]["lmsys"]
    assert list(recipes) == list(RECIPES)
    # questions 4, 5, 3 less 1 each: 3, 4, 2
    assert recipes["kto"]["mean_difference"] == 3
    # a seed has no like in the base
    assert recipes["kto"]["runs"] == {"t": None, "p": None, "n": 0}


def test_seeds_of_one_side_alone_are_in_the_test_over_questions_only(tmp_path):
    table = TABLE | {model("kto", 3): judged(6, 6, 7, 7, 5, 5)}
    del table[model("kto", 2)]
    kto = compare(tmp_path, table)["mt_bench"]["reference"]["tiny"]["lmsys"]["kto"]
    # seeds 1 and 3 of kto: 0 and 2 above the reference; both sides have seed 1 alone
    assert (kto["mean_difference"], kto["n"]) == (1, 3)
    assert kto["runs"] == {"t": None, "p": None, "n": 3}


def test_where_the_reference_is_not_judged_there_is_no_test_and_a_line_says_so(tmp_path, capsys):
    table = TABLE | {model("kto", 1, "qwen"): judged(4, 4, 5, 5, 3, 3)}
    bases = compare(tmp_path, table)["mt_bench"]["reference"]
    assert list(bases) == ["tiny"]
    line = "mt_bench, reference, qwen, lmsys: no test, as rand_scratch is not judged\n"
    assert capsys.readouterr().err == line
    without = {m: rows for m, rows in TABLE.items() if m.recipe != "rand_scratch"}
    assert compare(tmp_path, without) == {}


def test_an_unknown_reference_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"test_significance\.reference: 'sft' is none of"):
        compare(tmp_path, reference="sft")


def test_the_stage_writes_the_tests(tmp_path):
    write_table(tmp_path, TABLE)
    options = {"params": write_params(tmp_path, recipes=RECIPES), "judgments": tmp_path}
    options |= {"metrics": tmp_path / "m.json", "reference": "rand_scratch"}
    options |= {"resamples": 20, "seed": 1}
    result = CliRunner().invoke(main, [w for n, v in options.items() for w in (f"--{n}", str(v))])
    assert result.exit_code == 0, result.output
    test = json.loads((tmp_path / "m.json").read_text())["mt_bench"]["reference"]["tiny"]["lmsys"]
    assert test["neg_scratch"]["t"] == 3.4641  # 2 sqrt(3)
    assert test["neg_scratch"]["runs"]["n"] == 6
