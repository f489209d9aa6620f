import numpy as np
import pytest

from feedback_lens.analysis.intervals import wilson_interval
from feedback_lens.feedback.agreement import coarsen_tables, resample_tables
from feedback_lens.feedback.evaluation import evaluate_labels
from feedback_lens.feedback.labels import FINE, GRANULARITIES
from feedback_lens.feedback.measure_intervals import (
    bound_averages,
    bound_binary,
    bound_classes,
)

GOLD = ["NEG_1", "NEG_2", "POS", "NEU", "NEU", "NEU"]
FOUND = ["NEG_1", "NEU", None, "POS", "NEU", None]
ALONE = ["a", "b", "c", "d", "e", "f"]
THREE = GRANULARITIES["three_way"]
CLASSES = (*FINE, None)


def ends(bounds, name):
    return bounds[f"{name}_low"], bounds[f"{name}_high"]


@pytest.mark.parametrize(
    ("name", "hits", "trials"),
    [
        ("true_positive", 1, 6),  # NEG_1
        ("false_negative", 2, 6),  # NEG_2, and the praise without a label
        ("false_positive", 1, 6),
        ("true_negative", 1, 6),
        ("unlabeled_neutral", 1, 6),
        ("precision", 1, 2),
        ("recall", 1, 3),
    ],
)
def test_shares_of_turns_alone_in_their_conversations_have_wilson_s_interval(name, hits, trials):
    found = ends(bound_binary(GOLD, FOUND, ALONE), name)
    assert found == pytest.approx(wilson_interval(hits / trials, trials))


def test_a_share_of_nothing_has_no_interval():
    bounds = bound_binary(["NEU", "NEU"], ["NEU", "NEU"], ["a", "b"])
    assert ends(bounds, "recall") == ends(bounds, "precision") == (None, None)


def test_none_of_the_turns_still_tells_how_many_there_may_be():
    # no false alarm among six turns: 3.8415 / (6 + 3.8415)
    bounds = bound_binary(GOLD, GOLD, ALONE)
    assert ends(bounds, "false_positive") == (0.0, pytest.approx(0.39033, abs=1e-4))


def test_turns_of_one_conversation_tell_less():
    apart, together = (
        ends(bound_binary(GOLD, FOUND, names), "true_negative") for names in (ALONE, list("aaabbb"))
    )
    assert together[1] - together[0] > apart[1] - apart[0]


def test_each_class_has_the_ends_of_its_precision_and_recall():
    bounds = dict(bound_classes(GOLD, FOUND, ALONE))
    assert tuple(bounds) == tuple(THREE)
    # negative: one of two is found, and nothing else is called so
    assert ends(bounds["NEG"], "recall") == pytest.approx(wilson_interval(1 / 2, 2))
    assert ends(bounds["NEG"], "precision") == pytest.approx(wilson_interval(1.0, 1))


def test_averages_over_classes_are_those_of_the_labels_in_each_resample():
    # a table of all conversations once: both ends are the estimate itself
    table = np.zeros((1, len(CLASSES), len(CLASSES)))
    for gold, found in zip(GOLD, FOUND, strict=True):
        table[0, CLASSES.index(gold), CLASSES.index(found)] += 1
    bounds = bound_averages(coarsen_tables(table, CLASSES, "three_way"), THREE)
    expected = evaluate_labels(GOLD, FOUND)["three_way"]
    for average in ("macro", "weighted"):
        for name in ("precision", "recall", "f1"):
            assert ends(bounds[average], name) == pytest.approx((expected[average][name],) * 2)
    for name in THREE:
        assert ends(bounds[name], "f1") == pytest.approx((expected[name]["f1"],) * 2)


def test_a_single_conversation_has_no_interval_of_an_average():
    tables = resample_tables(GOLD, FOUND, ["a"] * 6, CLASSES, 20, 1)
    bounds = bound_averages(coarsen_tables(tables, CLASSES, "three_way"), THREE)
    assert ends(bounds["macro"], "f1") == (None, None)
