import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from feedback_lens.analysis.toxicity import (
    TOXICITY,
    score_by_lexicon,
    score_toxicity,
    summarize_toxicity,
)
from feedback_lens.errors import InputError
from feedback_lens.tables import read_rows, write_rows


def scored(**groups):
    return [{"split": split, "toxicity": x} for split, values in groups.items() for x in values]


def test_the_lexicon_weighs_insults_twice_by_the_length_of_the_text():
    # "you idiot, damn it": 4 words, 2 * 1 insult + 1 profanity = 3: 1 - exp(-3 / 2)
    assert score_by_lexicon(["you idiot, damn it"]) == [pytest.approx(1 - math.exp(-1.5), abs=1e-6)]
    assert score_by_lexicon(["You IDIOT!", "hello", ""]) == [
        pytest.approx(1 - math.exp(-2 / math.sqrt(2)), abs=1e-6),
        0.0,
        0.0,
    ]


def test_words_that_hold_a_swear_word_are_none():
    texts = ["classic assessment of a passage", "hello Scunthorpe shell", "garbagemen"]
    assert score_by_lexicon(texts) == [0, 0, 0]
    assert min(score_by_lexicon(["f*** this", "what the fuuucking", "shut up"])) > 0


@given(st.text())
def test_a_score_lies_between_0_and_1(text):
    (score,) = score_by_lexicon([text])
    assert 0 <= score <= 1


def test_the_prompt_of_every_sub_conversation_is_scored(tmp_path):
    row = {"split": "neg", "conversation_id": "a", "turn": 3, "prompt": "damn", "reply": "idiot"}
    rows = score_toxicity(iter([row]), "lexicon")
    expected = round(1 - math.exp(-1), 6)
    key = {"split": "neg", "conversation_id": "a", "turn": 3}
    assert rows == [{**key, "toxicity": expected}]
    write_rows(rows, tmp_path / "t.parquet", TOXICITY)
    assert read_rows(tmp_path / "t.parquet") == rows


def test_an_unknown_scorer_is_an_error():
    with pytest.raises(InputError, match="'detoxify' is none of lexicon, perspective"):
        score_toxicity([], "detoxify")


def test_a_split_is_described_by_mean_and_quartiles():
    # of 0, .1, .2, .7: positions .75, 1.5, 2.25 give .075, .15 and .2 + .25 * .5
    summary = summarize_toxicity(scored(neg=[0.7, 0.0, 0.2, 0.1]))
    assert summary["neg"] == pytest.approx(
        {"n": 4, "mean": 0.25, "q1": 0.075, "median": 0.15, "q3": 0.325}
    )
    assert summary["pos"] == {"n": 0, "mean": None, "q1": None, "median": None, "q3": None}
    assert summary["rank_tests"] == {"neg_vs_rand_p": None, "pos_vs_rand_p": None}


def test_the_rank_test_of_three_against_three():
    # all of neg above all of rand: 2 of C(6, 3) = 20 orders are as extreme, p = .1
    summary = summarize_toxicity(scored(neg=[0.4, 0.5, 0.6], rand=[0.1, 0.2, 0.3]))
    assert summary["rank_tests"]["neg_vs_rand_p"] == pytest.approx(0.1)


TIED = st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=1, max_size=12)


@given(TIED, TIED, TIED)
def test_the_rank_test_is_scipy_s_and_always_a_metric(neg, pos, rand):
    tests = summarize_toxicity(scored(neg=neg, pos=pos, rand=rand))["rank_tests"]
    for split, values in (("neg", neg), ("pos", pos)):
        assert tests[f"{split}_vs_rand_p"] == mannwhitneyu(values, rand).pvalue
    json.dumps(tests, allow_nan=False)
