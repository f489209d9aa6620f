from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogues import record
from feedback_lens.analysis.quality import (
    CRITERIA,
    RATINGS,
    rate_prompts,
    read_criteria,
    read_difficulty,
    summarize_quality,
)
from feedback_lens.calls.request import Sampling, ask_user
from feedback_lens.errors import InputError
from feedback_lens.prompts import fence, read_prompt, render
from feedback_lens.tables import read_rows, write_rows

PROMPTS = Path(__file__).parents[1] / "prompts"
SAMPLING = Sampling(temperature=1.0, max_tokens=1024)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("[1, 3, 7]", {1, 3, 7}),
        ("It asks for [2] things.\n\n[7,1]\n", {1, 7}),
        ("None is met.\n[]", set()),
        ("[ ]", set()),
        ("[\t]", set()),
        ("[1, 1]", {1}),
    ],
)
def test_criteria_are_read_from_the_last_line(text, met):
    assert read_criteria(text) == met


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "[1, 3]\nThese are met.",
        "Criteria: [1, 3]",
        "[1, 8]",
        "[0]",
        "[1,, 3]",
        "[,]",
        "[1 3]",
        "[01]",
        "[\u0661]",
        "[1, 3",
        "[-1]",
        "[true]",
        "1, 3",
        "[" + "9" * 5000 + "]",
    ],
)
def test_what_is_no_list_of_criteria_is_unreadable(text):
    assert read_criteria(text) is None


@given(st.text("[]0123456789, \n\t\u0663\u2028") | st.text())
def test_any_text_is_read_or_unreadable(text):
    met = read_criteria(text)
    assert met is None or met <= set(range(1, 8))
    assert read_difficulty(text) in (None, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "difficulty"),
    [
        ("[[3]]", 3),
        ("Some [[1]] first.\n [[5]] \n", 5),
        ("[[6]]", None),
        ("[3]", None),
        ("[[3]].", None),
        ("[[3]]\nSo it is.", None),
        ("", None),
    ],
)
def test_the_difficulty_is_the_number_alone_on_the_last_line(text, difficulty):
    assert read_difficulty(text) == difficulty


def prompts_of(*texts, name="neg"):
    return [
        {"prompt_set": name, "prompt_id": str(number), "text": text}
        for number, text in enumerate(texts)
    ]


def rate(prompts, rater, source):
    return rate_prompts(prompts, rater, PROMPTS, "claude", source, SAMPLING)


def test_the_rules_rate_without_a_model(tmp_path):
    rows = rate(prompts_of("hi there", "Write a Python function, now!"), "rules", tmp_path)
    assert [row["outcome"] for row in rows] == ["answered", "answered"]
    assert not any(rows[0][name] for name in CRITERIA)
    assert rows[1]["technical_accuracy"]
    # 5 words, a comma and an exclamation mark
    assert [row["tokens"] for row in rows] == [2, 7]
    write_rows(rows, tmp_path / "r.parquet", RATINGS)
    assert read_rows(tmp_path / "r.parquet") == rows


def test_a_model_rates_quality_and_complexity_of_each_prompt(tmp_path):
    prompts = prompts_of("one", "two {prompt}", "three", "four")
    templates = {
        name: read_prompt(PROMPTS / f"rate_{name}.txt", {"prompt"})
        for name in ("quality", "complexity")
    }
    quality = [("[1, 7]",), ("[]",), ("neither",), ("[2]", "refused")]
    complexity = [("[[2]]",), ("[[1]]", "cut_off"), ("[[3]]",), ("[[4]]",)]
    record(
        tmp_path,
        [
            (
                ask_user("claude", render(templates[name], {"prompt": fence(p["text"])}), SAMPLING),
                *r,
            )
            for name, replies in (("quality", quality), ("complexity", complexity))
            for p, r in zip(prompts, replies, strict=True)
        ],
    )
    rows = rate(prompts, "llm", tmp_path)
    assert [row["specificity"] for row in rows] == [True, False, None, None]
    assert [row["real_world"] for row in rows] == [True, False, None, None]
    # a verdict that was cut off or refused is none, whatever its text looks like
    assert [row["difficulty"] for row in rows] == [2, None, 3, 4]
    assert [r["outcome"] for r in rows] == ["answered", "cut_off", "unreadable", "refused"]


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
