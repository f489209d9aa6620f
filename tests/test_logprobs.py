import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from canned import completion
from feedback_lens.calls.completion import read_completion
from feedback_lens.calls.logprobs import (
    dump_logprobs,
    find_logprobs_fault,
    load_logprobs,
    read_logprobs,
)
from feedback_lens.calls.problem import hide_key
from feedback_lens.calls.request import Logprobs, Response
from test_completion import ANYTHING
from token_scores import score


def entry(token: Any, logprob: Any = -0.5, **other: Any) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, **other}


def in_bytes(*pieces: bytes) -> list[dict[str, Any]]:
    """Entries whose `token` is what OpenAI writes for a part of a character."""
    return [entry(str(piece)[2:-1], bytes=list(piece)) for piece in pieces]


def texts(logprobs: Logprobs | None) -> list[str] | None:
    return None if logprobs is None else [token for token, _ in logprobs]


def test_tokens_that_spell_the_text_come_with_their_values() -> None:
    content = [entry('{"NEG', -0.25), entry("_1", -1.5), entry('"}', 0)]
    assert read_logprobs(content, '{"NEG_1"}') == (('{"NEG', -0.25), ("_1", -1.5), ('"}', 0.0))


def test_a_character_stands_with_the_token_that_ends_it() -> None:
    # U+1F44B is F0 9F 91 8B: two tokens of two bytes, the second of which ends with a blank
    content = in_bytes(b"Hi ", b"\xf0\x9f", b"\x91\x8b ", b"you")
    assert texts(read_logprobs(content, "Hi 👋 you")) == ["Hi ", "", "👋 ", "you"]


def test_half_a_character_at_the_end_is_the_sign_that_the_text_has() -> None:
    assert texts(read_logprobs(in_bytes(b"a", b"\xf0\x9f"), "a\ufffd")) == ["a", "\ufffd"]


def test_without_bytes_the_token_itself_is_read() -> None:
    for other in ({}, {"bytes": None}):
        content = [entry("é", **other), entry("t", **other), entry("é", **other)]
        assert texts(read_logprobs(content, "été")) == ["é", "t", "é"]


def test_bytes_that_are_those_of_another_spelling_do_not_matter() -> None:
    # a piece of a vocabulary in the place of its text
    content = [entry("Hi"), entry(" you", bytes=list("▁you".encode()))]
    assert texts(read_logprobs(content, "Hi you")) == ["Hi", " you"]


def test_what_is_not_in_the_text_is_left_out() -> None:
    reasoning = [entry("<think>"), entry("Hm."), entry("</think>\n\n")]
    content = [*reasoning, entry("[["), entry("5"), entry("]]"), entry("<|im_end|>"), entry("")]
    assert texts(read_logprobs(content, "[[5]]")) == ["[[", "5", "]]"]


def test_of_a_draft_in_the_reasoning_and_the_reply_behind_it_the_reply_counts() -> None:
    content = [entry("[[5]]", -3), entry(" it is.</think>"), entry("[["), entry("5"), entry("]]")]
    assert read_logprobs(content, "[[5]]") == (("[[", -0.5), ("5", -0.5), ("]]", -0.5))


def test_a_token_at_the_border_of_the_text_is_cut() -> None:
    # a server that takes the blank before the first word away, and the line break behind the last
    content = [entry(" Yes", -0.5), entry(".\n", -2)]
    assert read_logprobs(content, "Yes.") == (("Yes", -0.5), (".", -2.0))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([entry("yes")], "no"),
        ([entry("yes")], "yes, indeed"),
        ([], "yes"),
        # which of the two it is cannot be known
        ([entry("5"), entry(" so "), entry("5"), entry("</s>")], "5"),
        ([entry("s"), entry("</s>")], "s"),
        # a server that decodes each token by itself: SGLang's of U+1F44B
        ([entry("\ufffd"), entry("\ufffd")], "👋"),
    ],
)
def test_tokens_that_do_not_spell_the_text_for_certain_are_not_known(
    content: list[Any], text: str
) -> None:
    assert read_logprobs(content, text) is None


def test_an_empty_text_has_no_tokens() -> None:
    assert read_logprobs([entry("<|im_end|>")], "") == read_logprobs([], "") == ()
    assert read_logprobs([entry("yes")], None) is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (-0.1234564, -0.123456),
        (0, 0.0),
        (-1e-9, 0.0),
        # rounding of a server in half precision
        (0.0004, 0.0),
        (-math.inf, -9999.0),
        (-1e300, -9999.0),
        (-(10**400), -9999.0),
    ],
)
def test_values_are_kept_to_six_decimals_between_their_bounds(value: Any, kept: float) -> None:
    [(_, found)] = read_logprobs([entry("a", value)], "a") or ()
    assert (found, math.copysign(1, found)) == (kept, 1.0 if kept == 0 else -1.0)


@pytest.mark.parametrize(
    "value", [None, math.nan, math.inf, 0.98, 10**400, True, False, "-0.1", [-0.1], {}]
)
def test_a_value_that_is_no_log_probability_makes_all_unknown(value: Any) -> None:
    assert read_logprobs([entry("a"), entry("b", value)], "ab") is None


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "b",
        {},
        {"token": "b"},
        {"logprob": -1},
        entry(None),
        entry(5),
        entry(["b"]),
        entry("x", bytes=[256]),
        entry("x", bytes=[-1]),
        entry("x", bytes=["b"]),
        entry("x", bytes=[98.0]),
        entry("x", bytes=[10**30]),
    ],
)
def test_an_entry_that_is_none_makes_all_unknown(broken: Any) -> None:
    assert read_logprobs([entry("a"), broken], "ab") is None


@pytest.mark.parametrize("there", [None, [], "no", {}, {"content": None}, {"content": "a"}])
def test_a_reply_without_log_probabilities_has_none(there: Any) -> None:
    content = completion()
    content["choices"][0]["logprobs"] = there
    assert read_completion(content).logprobs is None
    del content["choices"][0]["logprobs"]
    assert read_completion(content).logprobs is None


def answered(text: str | None, content: Any, **message: Any) -> Response:
    whole = completion(text)
    whole["choices"][0] |= {"logprobs": {"content": content, "refusal": None}}
    whole["choices"][0]["message"] |= message
    return read_completion(whole)


def test_a_completion_brings_them() -> None:
    # -0.1 a byte: "Fine" has 4, " 👋" a blank alone, then 1 and 3 of its 4
    response = answered("Fine 👋", score("Fine 👋"))
    assert response.logprobs == (("Fine", -0.4), (" ", -0.1), ("", -0.1), ("👋", -0.3))


def test_those_of_a_refusal_are_of_no_use() -> None:
    refused = answered(None, score("I will not."), refusal="I will not.")
    assert (refused.outcome, refused.logprobs) == ("refused", None)
    assert answered(None, []).logprobs is None


def test_half_a_character_in_the_text_is_cleaned_in_both() -> None:
    response = answered("a \ud83d b", [entry("a"), entry(" \ud83d"), entry(" b")])
    assert response.text == "a ? b"
    assert texts(response.logprobs) == ["a", " ?", " b"]


def test_a_key_that_is_taken_out_of_the_text_takes_its_tokens_with_it() -> None:
    key = "sk-loopback-0123456789"
    text = f"Your key is {key}."
    response = answered(text, score(text))
    assert response.logprobs is not None
    hidden = hide_key(response, key)
    assert (hidden.text, hidden.logprobs) == ("Your key is [key].", None)
    assert hide_key(response, "sk-another-0123456789") == response


pieces = st.lists(st.tuples(st.text(max_size=3), st.floats(-20, 0)), max_size=8)


@given(pieces, st.text(max_size=3), st.text(max_size=3))
def test_what_a_sane_server_sends_is_read_whole(
    tokens: list[tuple[str, float]], before: str, behind: str
) -> None:
    text = "".join(token for token, _ in tokens)
    sent = [entry(token, value) for token, value in tokens]
    found = read_logprobs(sent, text)
    assert found is not None
    assert "".join(token for token, _ in found) == text
    # empty tokens at the border of the text may go; all that spell it stay, in their order
    spelling = [(token, round(value, 6)) for token, value in tokens if token]
    assert [pair for pair in found if pair[0]] == spelling
    around = read_logprobs([entry(before), *sent, entry(behind)], text)
    assert around is None or "".join(token for token, _ in around) == text


@given(st.text(max_size=12), st.randoms())
@example("👋🏽 é", None)
def test_tokens_may_end_at_any_byte(text: str, random: Any) -> None:
    raw, sent = text.encode(), []
    while raw:
        size = random.randint(1, 3) if random else 1
        sent += in_bytes(raw[:size])
        raw = raw[size:]
    found = read_logprobs(sent, text)
    assert found is not None
    assert "".join(token for token, _ in found) == text
    assert len(found) == len(sent)


entries = ANYTHING | st.fixed_dictionaries(
    {}, optional={"token": ANYTHING, "logprob": ANYTHING | st.floats(), "bytes": ANYTHING}
)


@given(ANYTHING | st.lists(entries, max_size=4), st.none() | st.text(max_size=4))
def test_whatever_is_sent_is_none_or_can_be_kept(content: Any, text: str | None) -> None:
    found = read_logprobs(content, text)
    if found is None:
        assert dump_logprobs(found) is None
        return
    assert "".join(token for token, _ in found) == text
    assert all(-9999 <= value <= 0 for _, value in found)
    kept = dump_logprobs(found)
    assert load_logprobs(kept, text) == found
    assert find_logprobs_fault(kept, text) is None


def test_they_are_kept_as_compact_json() -> None:
    logprobs = (("é", -0.5), ('"', -9999.0), ("", 0.0))
    assert dump_logprobs(logprobs) == '[["é",-0.5],["\\"",-9999.0],["",0.0]]'
    assert load_logprobs(dump_logprobs(logprobs), 'é"') == logprobs


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "no JSON",
        "null",
        "5",
        "[5]",
        '["ab"]',
        "[[1,-1]]",
        '[["a"]]',
        '[["a",-1,2]]',
        '[["a",null]]',
        '[["a",0.5]]',
        '[["a",NaN]]',
        '[["b",-1]]',
        "[" * 100_000,
        b'[["a",-1]]',
    ],
)
def test_what_cannot_be_right_is_a_fault_and_is_read_as_none(kept: Any) -> None:
    assert load_logprobs(kept, "a") is None
    assert find_logprobs_fault(kept, "a") == "its log-probabilities are not those of its text"


def test_null_is_no_fault() -> None:
    assert (find_logprobs_fault(None, "a"), load_logprobs(None, "a")) == (None, None)
    assert find_logprobs_fault(json.dumps([]), None) is not None


@given(ANYTHING, ANYTHING)
def test_whatever_was_kept_is_read(content: Any, text: Any) -> None:
    found = load_logprobs(json.dumps(content), text)
    assert found is None or "".join(token for token, _ in found) == text
