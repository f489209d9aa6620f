import pytest

from feedback_lens.axes import Axes, Model, ModelGroup, PairJudgeAxes
from feedback_lens.benchmarks.pairs.pairing import (
    PAIR_JUDGMENTS,
    Pair,
    find_opponents,
    list_orders,
    list_pairs,
    read_pair_judgments,
)
from feedback_lens.benchmarks.pairs.summary import compare_answers, win_rate
from feedback_lens.benchmarks.questions import Question
from feedback_lens.errors import InputError
from feedback_lens.tables import write_rows

MATH = Question("m", ("math",), ("u1", "u2"), (), ("r1", "r2"), (), 0.0)
TASK = Question("t", ("Creative Tasks",), ("u3",), (), ("r3",), (), 0.0)
BASE = Model("tiny", None, "base", None)
KTO = Model("tiny", "lmsys", "kto", 1)
SFT = Model("tiny", "lmsys", "rand_scratch", 1)


def answers_of(model, *texts):
    places = [("m", 1), ("m", 2), ("t", 1)]
    rows = zip(places, texts, strict=False)
    return [
        {**model._asdict(), "question_id": question, "turn": turn, "answer": text}
        for (question, turn), text in rows
    ]


def test_the_opponent_has_the_same_base_corpus_and_seed():
    models = [BASE, KTO, SFT, KTO._replace(seed=2), SFT._replace(seed=2)]
    assert find_opponents(models, "rand_scratch") == {
        KTO: SFT,
        KTO._replace(seed=2): SFT._replace(seed=2),
    }


def test_the_untrained_base_is_the_opponent_of_all_that_were_trained_from_it():
    other = Model("other", "lmsys", "kto", 1)
    models = [BASE, Model("other", None, "base", None), KTO, SFT, other]
    found = find_opponents(models, "base")
    assert found == {KTO: BASE, SFT: BASE, other: Model("other", None, "base", None)}


def test_a_model_without_opponent_is_named():
    with pytest.raises(InputError, match="tiny/lmsys/kto/2 has no opponent: tiny/lmsys/rand_scr"):
        find_opponents([BASE, KTO, SFT, KTO._replace(seed=2)], "rand_scratch")


def test_each_turn_is_a_pair_with_the_answers_before_it():
    answers = [*answers_of(KTO, "k1", "k2", None), *answers_of(SFT, "s1", "s2", "s3")]
    assert list_pairs(answers, {KTO: SFT}, [MATH, TASK]) == [
        Pair(KTO, MATH, ("k1",), ("s1",)),
        Pair(KTO, MATH, ("k1", "k2"), ("s1", "s2")),
        Pair(KTO, TASK, (None,), ("s3",)),
    ]


def test_the_second_order_changes_sides():
    pair = Pair(KTO, MATH, ("k1",), ("s1",))
    assert (pair.in_order(0), pair.in_order(1)) == ((("k1",), ("s1",)), (("s1",), ("k1",)))


def test_missing_answers_and_unknown_questions_are_errors():
    answers = [*answers_of(KTO, "k1", "k2", "k3"), *answers_of(SFT, "s1")]
    with pytest.raises(InputError, match="rand_scratch/1: no answer to m, turn 2; run `dvc repro"):
        list_pairs(answers, {KTO: SFT}, [MATH, TASK])
    with pytest.raises(InputError, match="questions that the benchmark lacks: t"):
        list_pairs(answers, {KTO: SFT}, [MATH])


def test_one_order_is_drawn_by_the_question_about_half_and_half():
    assert list_orders("m", both_orders=True) == (0, 1)
    orders = [list_orders(str(number), both_orders=False) for number in range(1000)]
    assert orders == [list_orders(str(number), both_orders=False) for number in range(1000)]
    # 1000 fair coins: 500 with a standard deviation of 16
    assert 450 < orders.count((0,)) < 550
    assert set(orders) == {(0,), (1,)}


def judged(*verdicts, question="m", turn=1, repetition=0):
    """Rows of one comparison, a verdict for each order."""
    place = {"question_id": question, "turn": turn, "repetition": repetition}
    return [{**place, "order": order, "verdict": v} for order, v in enumerate(verdicts)]


def test_the_win_rate_counts_a_tie_half():
    rows = [
        *judged("win", "win", question="1"),
        *judged("loss", "loss", question="2"),
        *judged("tie", "tie", question="3"),
        # the orders disagree, one of them on a tie: both are ties
        *judged("win", "loss", question="4"),
        *judged("win", "tie", question="5"),
    ]
    found = win_rate([rows], resamples=200, seed=1)
    # (1 + 0 + 3 * 0.5) / 5; of five pairs the orders of three agree
    assert (found["win_rate"], found["ties"], found["n"]) == (0.5, 3, 5)
    assert (found["order_agreement"], found["unscored"]) == (0.6, 0)
    assert 0 <= found["low"] < 0.5 < found["high"] <= 1


def test_a_comparison_with_an_unreadable_order_is_unscored():
    rows = [
        *judged("win", None, question="1"),
        *judged(None, None, question="2"),
        *judged("win", "win", question="3"),
    ]
    found = win_rate([rows], resamples=10, seed=1)
    assert found == {
        **{"win_rate": 1.0, "ties": 0, "n": 1, "low": None, "high": None},
        **{"unscored": 2, "order_agreement": 1.0},
    }


def test_with_one_order_nothing_is_known_of_agreement():
    found = win_rate([judged("win"), judged("loss", turn=2)], resamples=10, seed=1)
    assert (found["win_rate"], found["n"], found["order_agreement"]) == (0.5, 2, None)


def test_nothing_that_can_be_read_has_no_win_rate():
    found = win_rate([judged(None, None)], resamples=10, seed=1)
    assert found == {
        **{"win_rate": None, "ties": 0, "n": 0, "low": None, "high": None},
        **{"unscored": 1, "order_agreement": None},
    }


def test_turns_repetitions_and_seeds_are_comparisons_of_their_own():
    one = [*judged("win"), *judged("loss", turn=2), *judged("tie", turn=2, repetition=1)]
    found = win_rate([one, judged("win")], resamples=10, seed=1)
    # (1 + 0 + 0.5 + 1) / 4
    assert (found["win_rate"], found["n"], found["ties"]) == (0.625, 4, 1)


def outcomes(*verdicts):
    """One seed's rows: question 1, 2, ... with a verdict each."""
    return [row for n, v in enumerate(verdicts) for row in judged(v, question=str(n))]


def test_the_interval_is_that_of_all_resamples():
    # two questions, one seed: resamples hold both with p = 1/2, one of them twice with p = 1/4
    # each; so of the rates 0, 1/2 and 1 the percentiles 2.5 and 97.5 are 0 and 1
    found = win_rate([outcomes("win", "loss")], resamples=1000, seed=1)
    assert (found["low"], found["high"]) == (0.0, 1.0)
    # all alike: no resample differs
    found = win_rate([outcomes("win", "win")], resamples=100, seed=1)
    assert (found["low"], found["high"]) == (1.0, 1.0)


def test_questions_and_seeds_are_drawn():
    # the seeds disagree on all questions: over questions alone nothing would vary
    runs = [outcomes(*["win"] * 30), outcomes(*["loss"] * 30)]
    found = win_rate(runs, resamples=1000, seed=1)
    assert (found["win_rate"], found["low"], found["high"]) == (0.5, 0.0, 1.0)


def make_axes():
    group = ModelGroup(("tiny",), ("lmsys",), ("rand_scratch", "kto"), (1,))
    return Axes(
        **{"profile": "p", "corpora": {}, "gold_sets": {}, "prompt_sets": (), "detectors": ()},
        **{
            "regenerations": (),
            "untrained": ("tiny",),
            "groups": (group,),
            "benchmarks": ("mt_bench", "wildbench"),
        },
        judges={},
        pair_judges={
            "first": PairJudgeAxes(("mt_bench",), "rand_scratch"),
            "second": PairJudgeAxes(("mt_bench",), "base"),
        },
    )


def write_judged(folder, judge, models):
    rows = [
        {**model._asdict(), **row, "against": "x", "categories": ["math"], "outcome": "answered"}
        for model, rows in models.items()
        for row in rows
    ]
    write_rows(
        [{**row, "judgment": None} for row in rows],
        folder / judge / "mt_bench.parquet",
        PAIR_JUDGMENTS,
    )


def test_each_judge_s_recipes_are_compared_with_those_that_it_names(tmp_path):
    stale = KTO._replace(recipe="neg_scratch")
    write_judged(tmp_path, "first", {KTO: outcomes("win", "tie"), stale: outcomes("win")})
    write_judged(tmp_path, "second", {KTO: outcomes("loss"), SFT: outcomes("win")})
    found = {
        judge: compare_answers(
            read_pair_judgments(tmp_path / judge, judge, make_axes()), resamples=10, seed=1
        )
        for judge in ("first", "second")
    }
    assert found["first"].keys() == {"mt_bench"}
    rates = {
        judge: {
            recipe: values["win_rate"]
            for recipe, values in benchmarks["mt_bench"]["tiny"]["lmsys"].items()
        }
        for judge, benchmarks in found.items()
    }
    assert rates == {"first": {"kto": 0.75}, "second": {"kto": 0.0, "rand_scratch": 1.0}}


def test_a_model_that_lacks_comparisons_is_named(tmp_path):
    write_judged(tmp_path, "first", {KTO: outcomes("win")})
    write_judged(tmp_path, "second", {KTO: outcomes("loss", "win"), SFT: outcomes("win")})
    with pytest.raises(InputError, match="rand_scratch/1 has 1 comparisons where 2 are wanted"):
        read_pair_judgments(tmp_path / "second", "second", make_axes())
    write_judged(tmp_path, "second", {KTO: outcomes("loss")})
    with pytest.raises(InputError, match="rand_scratch/1 has 0 comparisons where 1 are wanted"):
        read_pair_judgments(tmp_path / "second", "second", make_axes())
