from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from dialogues import record
from feedback_lens.analysis.criteria import CRITERIA
from feedback_lens.analysis.prompt_sets import Prompt
from feedback_lens.analysis.prompted import COMPLEXITY_FORMAT, QUALITY_FORMAT, request_rating
from feedback_lens.analysis.quality import RATINGS, Rating, rate_prompts
from feedback_lens.analysis.quality_summary import (
    compare_splits,
    list_criteria,
    list_met,
    summarize_quality,
)
from feedback_lens.analysis.rating_calls import _Requests
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Message
from feedback_lens.prompts import read_prompt
from feedback_lens.tables import read_rows, write_rows

PROMPTS = Path(__file__).parents[1] / "prompts"
SAMPLING = Sampling(temperature=1.0, max_tokens=1024)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


def prompts_of(*texts, name="neg"):
    return [Prompt(name, str(i), (Message("user", text),)) for i, text in enumerate(texts)]


def rate(prompts, rater, source, reasks=0, structured=False):
    policy = AskPolicy("claude", source, SAMPLING, reasks)
    return rate_prompts(prompts, Rating(rater, PROMPTS, policy, structured, "words", "texts"))


def request(scale, text, response_format=None):
    template = read_prompt(PROMPTS / f"rate_{scale}.txt", {"prompt"})
    return request_rating(text, template, "claude", SAMPLING, response_format)


def test_the_rules_rate_without_a_model(tmp_path):
    prompts = prompts_of("hi there", "Write a Python function, now!")
    rows, counts = rate(prompts, "rules", tmp_path)
    assert [row["outcome"] for row in rows] == ["answered", "answered"]
    assert not any(rows[0][name] for name in CRITERIA)
    assert rows[1]["technical_accuracy"]
    # 5 words, a comma and an exclamation mark
    assert [row["tokens"] for row in rows] == [2, 7]
    assert (counts["model"], counts["answered"], "calls" in counts) == (None, 2, False)
    write_rows(rows, tmp_path / "r.parquet", RATINGS)
    assert read_rows(tmp_path / "r.parquet") == rows


def test_a_model_rates_quality_and_complexity_of_each_prompt(tmp_path):
    prompts = prompts_of("one", "two {prompt}", "three", "four")
    quality = [("[1, 7]",), ("[]",), ("neither",), ("[2]", "refused")]
    complexity = [("[[2]]",), ("[[1]]", "cut_off"), ("[[3]]",), ("[[4]]",)]
    record(
        tmp_path,
        [
            (request(name, p.text), *r)
            for name, replies in (("quality", quality), ("complexity", complexity))
            for p, r in zip(prompts, replies, strict=True)
        ],
    )
    rows, counts = rate(prompts, "llm", tmp_path)
    assert [row["specificity"] for row in rows] == [True, False, None, None]
    assert [row["real_world"] for row in rows] == [True, False, None, None]
    # a verdict that was cut off or refused is none, whatever its text looks like
    assert [row["difficulty"] for row in rows] == [2, None, 3, 4]
    assert [r["outcome"] for r in rows] == ["answered", "cut_off", "unreadable", "refused"]
    # outcomes count prompts, each of two calls
    assert (counts["model"], counts["answered"], counts["cut_off"]) == ("claude", 1, 1)
    assert (counts["calls"], counts["reasked"], counts["prompt_tokens"]) == (8, 0, 80)


def test_of_the_two_replies_on_a_prompt_the_unreadable_one_is_asked_for_again(tmp_path):
    quality, complexity = request("quality", "one"), request("complexity", "one")
    replies = [(quality, "[1]"), (complexity, "three"), (replace(complexity, sample=1), "[[3]]")]
    record(tmp_path, replies)
    rows, counts = rate(prompts_of("one"), "llm", tmp_path, reasks=1)
    assert (rows[0]["specificity"], rows[0]["difficulty"], rows[0]["outcome"]) == (
        True,
        3,
        "answered",
    )
    assert (counts["calls"], counts["reasked"]) == (3, 1)


def test_structured_ratings_are_read_from_their_objects(tmp_path):
    replies = [
        (request("quality", "one", QUALITY_FORMAT), '{"criteria": [2]}'),
        (request("complexity", "one", COMPLEXITY_FORMAT), '{"difficulty": 5}'),
    ]
    record(tmp_path, replies)
    rows, _ = rate(prompts_of("one"), "llm", tmp_path, structured=True)
    assert (rows[0]["domain_knowledge"], rows[0]["difficulty"]) == (True, 5)


def test_an_unknown_rater_is_an_error(tmp_path):
    with pytest.raises(InputError, match="'people' is unknown; rules and llm are known"):
        rate([], "people", tmp_path)


NUMBERS = count()


def rated(name, met, difficulty, tokens):
    criteria = dict.fromkeys(CRITERIA) if met is None else {c: c in met for c in CRITERIA}
    known = {"prompt_set": name, "prompt_id": str(next(NUMBERS))}
    return {**known, **criteria, "difficulty": difficulty, "tokens": tokens}


def test_the_metrics_name_rater_tokenizer_and_counting(tmp_path):
    policy = AskPolicy("claude", tmp_path, SAMPLING, 0)
    rating = Rating("rules", PROMPTS, policy, False, "words", "dialogue")
    assert rating.describe() == {"rater": "rules", "tokenizer": "words", "counting": "dialogue"}
    # User : hi
    assert rate_prompts(prompts_of("hi"), rating)[0][0]["tokens"] == 3


def test_requests_are_made_where_they_are_wanted(tmp_path):
    requests = _Requests(
        prompts_of("one", "two"),
        PROMPTS,
        "claude",
        AskPolicy("claude", tmp_path, SAMPLING, 0),
        False,
    )
    made = [request(scale, text) for scale in ("quality", "complexity") for text in ("one", "two")]
    assert list(requests) == made
    assert (len(requests), requests[-1], requests[1:3]) == (4, made[3], made[1:3])
    with pytest.raises(IndexError):
        requests[4]


def test_shares_are_over_the_readable_prompts():
    rows = [
        rated("neg", {"specificity", "creativity"}, 2, 10),
        rated("neg", {"specificity"}, None, 20),
        rated("neg", None, 5, 30),
        rated("pos", None, None, 7),
    ]
    summary = summarize_quality(rows, resamples=200, seed=1)
    negative = summary["neg"]
    assert (negative["prompts"], negative["unreadable"]) == (3, 1)
    assert (negative["specificity"], negative["creativity"], negative["real_world"]) == (1, 0.5, 0)
    # (1 + .5) / 7 criteria; (2 + 5) / 2; (10 + 20 + 30) / 3
    assert negative["mean"] == pytest.approx(1.5 / 7)
    assert (negative["difficulty"], negative["tokens"]) == (3.5, 20)
    # of 1 and 2 criteria met
    assert negative["criteria_met"] == {"q1": 1.25, "median": 1.5, "q3": 1.75}
    unknown = {"low": None, "high": None}
    assert summary["pos"] == {
        "prompts": 1,
        "unreadable": 1,
        **dict.fromkeys(CRITERIA),
        "mean": None,
        "difficulty": None,
        "tokens": 7,
        "criteria_met": {"q1": None, "median": None, "q3": None},
        "intervals": dict.fromkeys([*CRITERIA, "mean", "difficulty", "tokens"], unknown),
    }


def test_shares_have_wilson_s_interval_and_means_a_bootstrap():
    rows = [rated("neg", {"creativity"} if i < 2 else set(), 1 + i, 10) for i in range(4)]
    intervals = summarize_quality(rows, resamples=2000, seed=1)["neg"]["intervals"]
    # Wilson, 2 of 4 and 0 of 4, z = 1.96: .150 to .850; 0 to 3.8416 / 7.8416
    assert intervals["creativity"]["low"] == pytest.approx(0.150, abs=5e-4)
    assert intervals["creativity"]["high"] == pytest.approx(0.850, abs=5e-4)
    assert intervals["specificity"] == {"low": 0.0, "high": pytest.approx(0.4899, abs=1e-4)}
    # 4 draws of one of 7 criteria or none: none at all in 1/16 of the resamples
    assert (intervals["mean"]["low"], intervals["mean"]["high"]) == (0.0, pytest.approx(1 / 7))
    # grades 1 to 4: of 256 resamples 5 have a sum of at most 5, and 15 one of at most 6
    assert 1.25 <= intervals["difficulty"]["low"] <= 1.5
    assert intervals["tokens"] == {"low": 10.0, "high": 10.0}


def test_the_bootstrap_of_many_prompts_is_as_wide_as_theory_says():
    rows = [rated("neg", set(), None, tokens) for tokens in range(3000)]
    low, high = (
        summarize_quality(rows, 2000, 1)["neg"]["intervals"]["tokens"][end]
        for end in ("low", "high")
    )
    # 1.96 * 3000 / sqrt(12 * 3000) = 31.0 on either side of 1499.5
    assert low == pytest.approx(1499.5 - 31.0, abs=3)
    assert high == pytest.approx(1499.5 + 31.0, abs=3)


def test_the_splits_are_compared_by_the_criteria_that_their_prompts_meet():
    met = {"neg": (0, 0, 1), "pos": (5, 6, 7), "rand": (2, 3, 4)}
    rows = [
        rated(split, CRITERIA[:number], 1, 1) for split, counts in met.items() for number in counts
    ]
    tests = compare_splits([*rows, rated("pos", None, 1, 1)], resamples=50, seed=1)
    # every one below, every one above
    assert tests["neg_vs_rand"]["superiority"] == 0
    assert (tests["pos_vs_rand"]["superiority"], tests["pos_vs_rand"]["delta"]) == (1, 1)
    # the smallest p of 3 against 3 is 2 / C(6, 3) = .1; Holm doubles the smaller of two
    assert tests["pos_vs_rand"]["p"] == pytest.approx(0.1)
    smaller = min(test["p"] for test in tests.values())
    assert min(test["p_holm"] for test in tests.values()) == pytest.approx(2 * smaller)
    assert compare_splits([], 50, 1)["neg_vs_rand"]["p_holm"] is None


def test_a_prompt_of_both_splits_is_not_compared_with_itself():
    negative = [rated("neg", CRITERIA[:number], 1, 1) for number in (1, 2)]
    negative.append(rated("neg", None, 1, 1))
    random = [rated("rand", CRITERIA[:5], 1, 1)]
    random += [{**row, "prompt_set": "rand"} for row in negative]
    test = compare_splits([*negative, *random], resamples=50, seed=1)["neg_vs_rand"]
    assert (test["n_first"], test["n_second"], test["superiority"]) == (2, 1, 0)


def test_the_points_of_the_plot_are_the_readable_prompts():
    rows = [rated("neg", {"creativity"}, 1, 1), rated("pos", None, 1, 1), rated("pos", set(), 1, 1)]
    assert list(list_met(rows)) == [
        {"split": "neg", "criteria_met": 1},
        {"split": "pos", "criteria_met": 0},
    ]


def test_the_points_of_the_criteria_are_the_shares_of_each_split_with_their_intervals():
    rows = [rated("neg", {"creativity"}, 1, 1), rated("neg", set(), 1, 1)]
    points = list(list_criteria(summarize_quality(rows, resamples=200, seed=1)))
    assert [point["criterion"] for point in points] == [*CRITERIA, "mean"]
    # Wilson, 1 of 2, z = 1.96: .0945 to .9055
    interval = {"low": pytest.approx(0.0945, abs=1e-4), "high": pytest.approx(0.9055, abs=1e-4)}
    assert points[4] == {"split": "neg", "criterion": "creativity", "share": 0.5, **interval}
