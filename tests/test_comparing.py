from math import inf, nan

import pytest

from feedback_lens.analysis.intervals import wilson_interval
from feedback_lens.comparing import Difference, compare_figures
from feedback_lens.figures import Figure, list_figures


def test_an_interval_or_spread_goes_with_its_figure() -> None:
    content = {
        "share": {"value": 0.5, "low": 0.25, "high": 0.75},
        "kto": {"mean": 2.0, "spread": 0.5, "seeds": 2},
        # both ways in which metrics files write an interval
        "three_way": {"accuracy": 0.75, "accuracy_low": 0.5, "accuracy_high": 1.0, "turns": 4},
        "neg": {"n": 3, "win_rate": 0.5, "low": 0.125, "high": 0.875, "ties": 1},
        "bounds": {"low": 0.25, "high": 0.75},  # of nothing that stands beside them
        "model": "claude",
    }
    assert dict(list_figures(content)) == {
        ("share",): Figure(0.5, 0.25, 0.75),
        ("kto",): Figure(2.0, spread=0.5, seeds=2),
        ("three_way", "accuracy"): Figure(0.75, 0.5, 1.0),
        ("three_way", "turns"): Figure(4),
        ("neg", "n"): Figure(3),
        ("neg", "win_rate"): Figure(0.5, 0.125, 0.875),
        ("neg", "ties"): Figure(1),
        ("bounds", "low"): Figure(0.25),
        ("bounds", "high"): Figure(0.75),
        ("model",): Figure("claude"),
    }


@pytest.mark.parametrize(
    ("before", "after", "margin", "verdict"),
    [
        # equal n and spreads: 2(n - 1) degrees of freedom; t(0.975) is 2.7764 of 4, 4.3027 of 2
        (Figure(2.0, None, None, 0.3, 3), Figure(2.5, None, None, 0.3, 3), 0.6801, "within"),
        (Figure(2.75, None, None, 0.3, 3), Figure(2.0, None, None, 0.3, 3), 0.6801, "beyond"),
        (Figure(2.0, None, None, 0.3, 2), Figure(2.75, None, None, 0.3, 2), 1.2908, "within"),
        (Figure(2.0, None, None, 0.3, 2), Figure(2.5), None, "unknown"),
        (Figure(2.0, spread=0.3), Figure(2.5, spread=0.3), None, "unknown"),
        # no spread was seen, or no number: nothing tells what chance does
        (Figure(2.0, None, None, 0.0, 2), Figure(2.5, None, None, 0.0, 2), 0.0, "unknown"),
        (Figure(1.0, 1.0, 1.0), Figure(0.5, 0.5, 0.5), 0.0, "unknown"),
        (Figure(nan, 0.1, 0.9), Figure(0.5, 0.1, 0.9), None, "unknown"),
        (Figure(0.5, 0.1, inf), Figure(0.75, 0.1, 0.9), None, "unknown"),
        # a rise: the arm above the first, 0.03, and the arm below the second, 0.04
        (Figure(0.5, 0.1, 0.53), Figure(0.5625, 0.5225, 0.9), 0.05, "beyond"),
        # a fall by as much: the arms below the first, 0.4, and above the second, 0.3
        (Figure(0.5625, 0.1625, 0.6), Figure(0.5, 0.4, 0.8), 0.5, "within"),
        (Figure(0.5, 0.1, 0.9), Figure(None, None, None), None, "unknown"),
        (Figure(7), Figure(8), None, "unknown"),
        (Figure("claude"), Figure("other"), None, "unknown"),
    ],
)
def test_a_change_is_held_against_what_chance_explains(
    before: Figure, after: Figure, margin: float | None, verdict: str
) -> None:
    change = Difference(("x",), before, after)
    assert change.margin == (None if margin is None else pytest.approx(margin, abs=1e-4))
    assert change.verdict == verdict


def test_the_margin_of_shares_gives_newcombe_s_interval_of_a_difference() -> None:
    # Newcombe 1998, example (a), method 10: 56/70 - 48/80 = .2000 (.0524 to .3339)
    before, after = (
        Figure(48 / 80, *wilson_interval(48 / 80, 80)),
        Figure(56 / 70, *wilson_interval(56 / 70, 70)),
    )
    change = Difference(("x",), before, after)
    assert change.difference is not None and change.margin is not None
    assert round(change.difference - change.margin, 4) == 0.0524
    assert change.verdict == "beyond"


def test_what_one_state_lacks_is_named_once() -> None:
    kto, scratch = {"kto": {"mean": 1.0, "spread": None}}, {"neg_scratch": {"mean": 1.0}}
    before = {"feedback": {"lmsys": {"share": 0.5}, "wildchat": {"share": 0.5, "praise": 0.1}}}
    before |= {"scores": {"tiny": {"lmsys": kto | scratch, "wildchat": kto}}}
    after = {"feedback": {"lmsys": {"share": 0.5}}, "scores": {"tiny": {"lmsys": kto}}}
    after |= {"calls": {"usd": 1.5}}
    found = compare_figures(before, after)
    assert (found.changed, found.unchanged) == ((), 2)
    assert found.only_before == (
        ("feedback", "wildchat"),
        ("scores", "tiny", "lmsys", "neg_scratch"),
        ("scores", "tiny", "wildchat"),
    )
    assert found.only_after == (("calls",),)


def test_wider_bounds_alone_are_no_change() -> None:
    before = {"share": {"value": 0.5, "low": 0.25, "high": 0.75}}
    after = {"share": {"value": 0.5, "low": 0.125, "high": 0.75}}
    assert compare_figures(before, after).changed == ()


def test_a_figure_that_became_a_mapping_and_an_empty_mapping_are_named() -> None:
    before = {"share": 0.5, "lmsys": {}, "kept": {}}
    after = {"share": {"praise": 0.5}, "kept": {}}
    found = compare_figures(before, after)
    assert found.only_before == (("share",), ("lmsys",))
    assert found.only_after == (("share", "praise"),)


def test_the_interval_of_a_difference_reaches_as_far_as_the_arms_that_face_each_other() -> None:
    # below: hypot(0.03 of 0.25, 0.04 of 0.5); above: hypot(0.12, 0.05)
    change = Difference(("x",), Figure(0.5, 0.45, 0.54), Figure(0.25, 0.22, 0.37))
    assert change.interval == pytest.approx((-0.25 - 0.05, -0.25 + 0.13))
    # towards zero
    assert change.margin == pytest.approx(0.13)
    assert Difference(("x",), Figure(7), Figure(8)).interval is None


def test_a_mean_over_seeds_beside_an_exact_number_has_student_s_interval() -> None:
    # t(0.975) of two degrees of freedom is 4.3027; times 0.3 / sqrt(3)
    change = Difference(("x",), Figure(2.0, 2.0, 2.0), Figure(2.5, spread=0.3, seeds=3))
    assert change.interval == pytest.approx((0.5 - 0.74525, 0.5 + 0.74525), abs=1e-4)
