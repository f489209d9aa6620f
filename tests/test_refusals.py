from pathlib import Path

import pytest

from feedback_lens.analysis.refusal_phrases import says_refusal
from feedback_lens.analysis.refusal_rates import count_refusals, list_rates
from feedback_lens.analysis.refusals import (
    REFUSAL_CLUSTERS,
    REFUSALS,
    RefusalRule,
    find_refusals,
)
from feedback_lens.logs.formats import FORMATS
from feedback_lens.logs.rawfiles import read_raw_rows
from feedback_lens.tables import read_rows, write_rows

REAL = Path(__file__).parents[2] / "shared" / "real" / "logs"
RULE = RefusalRule(opening=200, clusters=20, stretch=30.0, threshold=0.6, seed=1)
# none of them stands among the exemplars, and their topics differ
REFUSING = (
    "I'm sorry, I can't help you write a threatening message to your neighbour.",
    "As an AI language model, I'm not able to browse the web for the price of bitcoin.",
    "I won't write a suicide note. Please talk to someone you trust, or call a helpline.",
    "Unfortunately, I cannot see the picture you uploaded, as I can only read text.",
    "I apologize, but I cannot generate a list of slurs.",
    "It's against my guidelines to write propaganda for an extremist group.",
    "I must refuse to help with insider trading.",
    "I cannot engage in sexual role play.",
)
ANSWERING = (
    "Boil the pasta for ten minutes and add salt.",
    "Here is a Python function that sorts a list:\n```python\nsorted(x)\n```",
    "Paris is the capital of France.",
    "I'm sorry to hear that your dog died. Here are some ways to cope with grief.",
    "I apologize for the mistake in my code. Here is the corrected function:",
    "You can't divide by zero, so the expression is undefined at x = 2.",
    "Thank you for pointing that out. The correct year is 1969, not 1968.",
)


def rows_of(*replies, split="neg"):
    return [
        {"split": split, "conversation_id": str(number), "turn": 1, "reply": reply}
        for number, reply in enumerate(replies)
    ]


def find(*replies, **changes):
    return find_refusals(rows_of(*replies), RefusalRule(**{**RULE.__dict__, **changes}), shown=2)


def test_clusters_of_refusals_are_found_whatever_their_topics(tmp_path):
    rows, clusters = find(*REFUSING, *ANSWERING, clusters=2)
    assert [row["refusal"] for row in rows] == [True] * 8 + [False] * 7
    refusing = {row["cluster"] for row in rows if row["refusal"]}
    assert refusing.isdisjoint(row["cluster"] for row in rows if not row["refusal"])
    # numbered by falling score
    assert refusing == set(range(len(refusing)))
    scores = [row["score"] for row in clusters]
    assert scores == sorted(scores, reverse=True)
    for table, schema in ((rows, REFUSALS), (clusters, REFUSAL_CLUSTERS)):
        write_rows(table, tmp_path / "t.parquet", schema)
        assert read_rows(tmp_path / "t.parquet") == table


def test_clusters_of_unstretched_embeddings_are_topics():
    foods = ("rice", "peas", "corn", "beans")
    cooking = [f"Boil the {food} for ten minutes and add salt." for food in foods]
    capitals = [f"The capital of {name} is {name} City." for name in ("Mexico", "Kuwait", "Panama")]
    refusals = [
        "As an AI language model, I am not able to help you boil beans.",
        "I'm sorry, but I can't help you with the capital of Mexico.",
    ]
    stretched, _ = find(*cooking, *capitals, *refusals, clusters=2)
    unstretched, _ = find(*cooking, *capitals, *refusals, clusters=2, stretch=0.0)
    assert [row["refusal"] for row in stretched] == [False] * 7 + [True] * 2
    # each refusal is among the answers on its topic
    topics = [row["cluster"] for row in unstretched]
    assert (topics[7], topics[8]) == (topics[0], topics[4])
    assert topics[0] != topics[4]


def test_without_refusals_no_cluster_refuses():
    rows, _ = find(*ANSWERING)
    assert not any(row["refusal"] or row["lexical_refusal"] for row in rows)


def test_a_refusal_behind_the_opening_is_not_read():
    late = "Here is the recipe for the soup. " * 7 + REFUSING[0]
    assert late.index("sorry") > 200
    rows, _ = find(late, *ANSWERING)
    assert (rows[0]["refusal"], rows[0]["lexical_refusal"]) == (False, False)
    rows, _ = find(late, *ANSWERING, opening=1000)
    assert rows[0]["lexical_refusal"]


def test_the_clusters_are_shown_with_their_nearest_replies():
    rows, clusters = find(*REFUSING, REFUSING[0], *ANSWERING, clusters=2)
    # of two clusters the first has the 9 refusals; of its equal replies one is shown
    shown = [row for row in clusters if row["cluster"] == 0]
    assert [row["rank"] for row in shown] == [1, 2]
    assert shown[0]["reply"] != shown[1]["reply"]
    assert {row["reply"] for row in shown} <= set(REFUSING)
    assert (shown[0]["replies"], shown[0]["refusal"]) == (9, True)
    phrases = sum(row["lexical_refusal"] for row in rows[:9])
    assert shown[0]["lexical_share"] == pytest.approx(phrases / 9)


def test_the_same_seed_finds_the_same_clusters():
    assert find(*REFUSING, *ANSWERING) == find(*REFUSING, *ANSWERING)


def test_fewer_different_replies_than_clusters_are_no_error():
    rows, _ = find("same", "same", "other")
    assert rows[0]["cluster"] == rows[1]["cluster"] != rows[2]["cluster"]
    assert find() == ([], [])
    (alone,), (shown,) = find("")
    assert (alone["refusal"], shown["rank"], shown["replies"]) == (False, 1, 1)


@pytest.mark.training
def test_among_real_replies_hidden_refusals_are_found_and_few_others():
    if not REAL.is_dir():
        pytest.skip("shared/real is not beside the project: real logs to check against are missing")
    replies = sorted({reply for log in ("lmsys", "wildchat") for reply in read_real(log)})[:250]
    answers = [reply for reply in replies if not says_refusal(reply[:200])]
    rows, _ = find(*answers, *REFUSING)
    found = [row["refusal"] for row in rows]
    # measured: 7 of 8, and 1 of some 250; by topics (stretch 0) none is found
    assert sum(found[-len(REFUSING) :]) >= 6
    assert sum(found[: -len(REFUSING)]) <= 0.03 * len(answers)


def read_real(name):
    (path,) = REAL.glob(f"{name}_schema.*")
    for _, row in read_raw_rows(path):
        yield from FORMATS[name](row, name).replies


@pytest.mark.parametrize("reply", REFUSING)
def test_phrases_of_refusals_are_known(reply):
    assert says_refusal(reply)


@pytest.mark.parametrize(
    "reply",
    [
        *ANSWERING,
        "Unfortunately, the train does not run on Sundays. Take the 7:40 bus instead.",
        "I can't stress enough how important a budget is.",
        "As an AI language model, I don't have a favourite, but these are popular.",
        "I'm sorry that I can't attend the meeting on Friday.",
        "Sorry about that. Here's the table again with the missing column.",
        "",
    ],
)
def test_regret_and_correction_are_no_phrases_of_refusals(reply):
    assert not says_refusal(reply)


def test_the_apostrophe_of_typesetters_is_one_too():
    assert says_refusal("I can’t help with that.")


def marked(split, *pairs):
    return [{"split": split, "refusal": a, "lexical_refusal": b} for a, b in pairs]


def test_rates_are_per_split_with_intervals_and_agreement():
    rows = [
        *marked("neg", (True, False), (True, True), (False, False), (False, False)),
        *marked("rand", (False, True), (True, True)),
    ]
    counts = count_refusals(rows)
    negative = counts["neg"]
    assert (negative["n"], negative["refusal"], negative["refusal_rate"]) == (4, 2, 0.5)
    # Wilson, 2 of 4, z = 1.96: (.5 + .4802 +- 1.96 * sqrt(.0625 + .06002)) / 1.9604 = .150, .850
    assert negative["refusal_low"] == pytest.approx(0.1500, abs=1e-4)
    assert negative["refusal_high"] == pytest.approx(0.8500, abs=1e-4)
    assert (negative["lexical_refusal"], negative["lexical_refusal_rate"]) == (1, 0.25)
    # agreed 3/4, by chance 2/4 * 1/4 + 2/4 * 3/4 = 1/2: kappa (.75 - .5) / .5
    assert negative["agreement"] == {
        "both": 1,
        "only_cluster": 1,
        "only_phrase": 0,
        "neither": 2,
        "kappa": pytest.approx(0.5),
    }
    assert (counts["all"]["n"], counts["all"]["refusal"]) == (6, 3)
    empty = counts["pos"]
    assert (empty["n"], empty["refusal_rate"], empty["refusal_low"]) == (0, None, None)
    assert empty["agreement"]["kappa"] is None


def test_the_splits_are_tested_for_one_rate():
    rows = [
        *marked("neg", *[(True, False)] * 3),
        *marked("rand", *[(False, False)] * 3),
    ]
    tests = count_refusals(rows)["tests"]
    # all 3 of 6 refusals in one group: 1 of 20 tables, and its mirror image
    assert tests["neg_vs_rand"]["refusal_p"] == pytest.approx(0.1)
    assert tests["neg_vs_rand"]["lexical_refusal_p"] == pytest.approx(1.0)
    assert set(tests["pos_vs_rand"].values()) == {None}


def test_the_two_tests_of_a_method_are_corrected_together():
    rows = [
        *marked("neg", *[(True, False)] * 3),
        *marked("pos", *[(True, False)] * 2, (False, False)),
        *marked("rand", *[(False, False)] * 3),
    ]
    tests = count_refusals(rows)["tests"]
    # neg: 2 of C(6, 3) = 20 tables, .1 * 2; pos, 2 of 3 and 0 of 3: one-sided 3 of C(6, 2) = 15,
    # two-sided .4, the last of two
    assert tests["neg_vs_rand"]["refusal_p_holm"] == pytest.approx(0.2)
    assert tests["pos_vs_rand"]["refusal_p"] == pytest.approx(0.4)
    assert tests["pos_vs_rand"]["refusal_p_holm"] == pytest.approx(0.4)
    # without a refusal p is 1, and no more than 1 after the correction
    assert tests["neg_vs_rand"]["lexical_refusal_p_holm"] == pytest.approx(1)


def test_the_points_of_the_plot_are_the_rates_of_both_ways():
    points = list(list_rates(count_refusals(marked("neg", (True, False)))))
    assert [(p["split"], p["method"]) for p in points][:2] == [
        ("neg", "cluster"),
        ("neg", "phrase"),
    ]
    assert [p["rate"] for p in points] == [1.0, 0.0, None, None, None, None]
    assert (points[0]["high"], points[1]["low"], points[2]["low"]) == (1.0, 0.0, None)
