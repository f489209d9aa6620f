from dataclasses import replace
from pathlib import Path

import pytest

from dialogues import record
from feedback_lens.analysis.prompted import COMPLEXITY_FORMAT, QUALITY_FORMAT, request_rating
from feedback_lens.analysis.quality import (
    CRITERIA,
    RATINGS,
    rate_prompts,
    summarize_quality,
)
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from feedback_lens.prompts import read_prompt
from feedback_lens.tables import read_rows, write_rows

PROMPTS = Path(__file__).parents[1] / "prompts"
SAMPLING = Sampling(temperature=1.0, max_tokens=1024)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


def prompts_of(*texts, name="neg"):
    return [
        {"prompt_set": name, "prompt_id": str(number), "text": text}
        for number, text in enumerate(texts)
    ]


def rate(prompts, rater, source, reasks=0, structured=False):
    policy = AskPolicy("claude", source, SAMPLING, reasks)
    return rate_prompts(prompts, rater, PROMPTS, policy, structured)


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
            (request(name, p["text"]), *r)
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


def rated(name, met, difficulty, tokens):
    criteria = dict.fromkeys(CRITERIA) if met is None else {c: c in met for c in CRITERIA}
    return {"prompt_set": name, **criteria, "difficulty": difficulty, "tokens": tokens}


def test_shares_are_over_the_readable_prompts():
    rows = [
        rated("neg", {"specificity", "creativity"}, 2, 10),
        rated("neg", {"specificity"}, None, 20),
        rated("neg", None, 5, 30),
        rated("pos", None, None, 7),
    ]
    summary = summarize_quality(rows)
    negative = summary["neg"]
    assert (negative["prompts"], negative["unreadable"]) == (3, 1)
    assert (negative["specificity"], negative["creativity"], negative["real_world"]) == (1, 0.5, 0)
    # (1 + .5) / 7 criteria; (2 + 5) / 2; (10 + 20 + 30) / 3
    assert negative["mean"] == pytest.approx(1.5 / 7)
    assert (negative["difficulty"], negative["tokens"]) == (3.5, 20)
    assert summary["pos"] == {
        "prompts": 1,
        "unreadable": 1,
        **dict.fromkeys(CRITERIA),
        "mean": None,
        "difficulty": None,
        "tokens": 7,
    }
