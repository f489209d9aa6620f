import json
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from feedback_lens.analysis.rank_tests import correct_holm
from feedback_lens.benchmarks.cells import Cells, Model
from feedback_lens.benchmarks.statistics import (
    compare_pair,
    compare_recipes,
    difference_interval,
    score_questions,
)
from feedback_lens.errors import InputError
from feedback_lens.stages.test_significance import main
from judgments import judged, write_judgments

NOTHING = float("nan")


def column(*scores):
    return np.array(scores, dtype=float).reshape(-1, 1)


def test_a_question_s_score_is_its_mean_over_turns():
    # question 1: (4 + 6) / 2 and 8; question 2: 2 (its second turn is unscored) and nothing
    scores = score_questions("mt_bench", [judged(4, 6, 2, None), judged(8, 8, None, None)])
    assert scores[0].tolist() == [5, 8]
    assert scores[1, 0] == 2
    assert np.isnan(scores[1, 1])


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


@given(
    st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=3, max_size=20).filter(
        lambda pairs: len({a - b for a, b in pairs}) > 1
    )
)
def test_p_is_that_of_scipy_s_paired_t_test(pairs):
    a, b = (column(*side) for side in zip(*pairs, strict=True))
    expected = ttest_rel(a[:, 0], b[:, 0])
    result = compare_pair(a, b, resamples=5, seed=1)
    assert (result["t"], result["p"]) == pytest.approx((expected.statistic, expected.pvalue))


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
CELLS = Cells(("mt_bench",), ("reference",), ("tiny",), ("lmsys",), RECIPES, (1, 2))


def tables():
    scores = {
        "rand_scratch": (judged(4, 4, 5, 5, 3, 3), judged(4, 4, 5, 5, 3, 3)),
        "neg_scratch": (judged(5, 5, 7, 7, 6, 6), judged(5, 5, 7, 7, 6, 6)),
        "kto": (judged(4, 4, 5, 5, 3, 3), judged(4, 4, 5, 5, 3, 3)),
    }
    models = {
        Model("tiny", "lmsys", recipe, seed): runs[seed - 1]
        for recipe, runs in scores.items()
        for seed in (1, 2)
    }
    return {
        ("mt_bench", "reference"): {Model("tiny", None, "base", None): judged(*[1] * 6)} | models
    }


def test_every_recipe_is_tested_against_the_reference():
    tests = compare_recipes(tables(), CELLS, "rand_scratch", resamples=50, seed=1)
    recipes = tests["mt_bench"]["reference"]["tiny"]["lmsys"]
    assert set(recipes) == {"neg_scratch", "kto"}
    # differences 1, 2, 3 as above; kto's are 0, so that one test is left to correct for
    assert recipes["neg_scratch"]["mean_difference"] == 2
    assert recipes["neg_scratch"]["p_holm"] == recipes["neg_scratch"]["p"]
    assert recipes["kto"]["p"] is None
    assert recipes["kto"]["p_holm"] is None


def test_an_unknown_reference_is_an_error():
    with pytest.raises(InputError, match=r"test_significance\.reference: 'sft' is none of"):
        compare_recipes(tables(), CELLS, "sft", resamples=5, seed=1)


def test_the_stage_writes_the_tests(tmp_path):
    write_judgments(tmp_path, tables()["mt_bench", "reference"])
    axes = {"bases": "tiny", "corpora": "lmsys", "benchmarks": "mt_bench", "judges": "reference"}
    axes |= {"judgments": tmp_path, "metrics": tmp_path / "m.json", "reference": "rand_scratch"}
    axes |= {"resamples": 20, "seed": 1}
    words = [str(w) for name, value in axes.items() for w in (f"--{name}", value)]
    words += [w for recipe in RECIPES for w in ("--recipes", recipe)]
    result = CliRunner().invoke(main, [*words, "--seeds", "1", "--seeds", "2"])
    assert result.exit_code == 0, result.output
    test = json.loads((tmp_path / "m.json").read_text())["mt_bench"]["reference"]["tiny"]["lmsys"]
    assert test["neg_scratch"]["t"] == 3.4641  # 2 sqrt(3)
