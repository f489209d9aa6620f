import email.utils
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from feedback_lens.calls.problem import (
    LONGEST_WORDS,
    Problem,
    parse,
    read_problem,
    read_wait,
    read_words,
    refuses_logprobs,
    scrub,
)

KEY = "sk-loopback-0123456789"


def problem(
    status: int, code: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[bool, bool, bool]:
    content = {"error": {"code": code, "message": "No."}}
    found = read_problem(status, CIMultiDict(headers or {}), content, f"HTTP {status}: No.")
    assert found.words == f"HTTP {status}: No."
    return found.passing, found.limited, found.hopeless


PASSES, LIMITED = (True, False, False), (True, True, False)
FINAL, HOPELESS = (False, False, False), (False, False, True)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (408, None, PASSES),
        (409, None, PASSES),
        (500, "server_error", PASSES),
        (502, None, PASSES),
        (503, None, PASSES),
        (504, None, PASSES),
        (599, None, PASSES),
        (429, "rate_limit_exceeded", LIMITED),
        (429, None, LIMITED),
        (301, None, FINAL),
        (400, None, FINAL),
        (405, None, FINAL),
        (413, None, FINAL),
        (422, None, FINAL),
        (401, "invalid_api_key", HOPELESS),
        (403, None, HOPELESS),
        (404, "model_not_found", HOPELESS),
        (429, "insufficient_quota", HOPELESS),
        (429, "billing_hard_limit_reached", HOPELESS),
        (400, "unsupported_parameter", HOPELESS),
        (400, "unsupported_value", HOPELESS),
        (500, "model_not_found", HOPELESS),
    ],
)
def test_a_status_and_a_code_say_what_is_worth_another_try(
    status: int, code: str | None, kind: tuple[bool, bool, bool]
) -> None:
    assert problem(status, code) == kind


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [(500, "false", FINAL), (429, "false", FINAL), (400, "true", PASSES), (429, "true", LIMITED)],
)
def test_the_server_may_say_so_itself(
    status: int, answer: str, kind: tuple[bool, bool, bool]
) -> None:
    assert problem(status, None, {"X-Should-Retry": answer}) == kind


def test_no_word_of_the_server_gives_hope_to_a_wrong_key() -> None:
    assert problem(401, None, {"x-should-retry": "true"}) == HOPELESS


@pytest.mark.parametrize("content", [None, [], "text", 5, {"error": "text"}, {"error": {}}])
def test_a_reply_of_any_shape_is_a_problem(content: Any) -> None:
    assert read_problem(502, CIMultiDict(), content, "words") == Problem("words")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "1", "Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After": "2", "retry-after-ms": "soon"}, 2.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "nan"}, None),
        ({"retry-after-ms": "nan", "Retry-After": "2"}, 2.0),
        ({"Retry-After": "Mon, 01 Jan 99999 00:00:00 GMT"}, None),
        ({"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"}, 0.0),
    ],
)
def test_the_wait_is_what_the_server_says(headers: dict[str, str], seconds: float | None) -> None:
    assert read_wait(CIMultiDict(headers)) == seconds


@pytest.mark.parametrize("zone", ["GMT", "+0100"])
def test_the_wait_may_be_a_date(zone: str) -> None:
    moment = time.time() + 90 + (3600 if zone == "+0100" else 0)
    date = email.utils.formatdate(moment, usegmt=True).replace("GMT", zone)
    # dates have whole seconds
    assert 88 < read_wait(CIMultiDict({"Retry-After": date})) <= 90


@given(
    st.text(st.characters(codec="latin-1"), max_size=40),
    st.text("0123456789 :,JanGMT+-", max_size=40),
)
def test_no_header_breaks_the_wait(value: str, other: str) -> None:
    for text in (value, other, f"Mon, {other}"):
        wait = read_wait(CIMultiDict({"Retry-After": text, "retry-after-ms": value}))
        assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("content", "raw", "words"),
    [
        ({"error": {"message": "No."}}, b"", "HTTP 500: No."),
        ({"error": "No."}, b"", "HTTP 500: No."),
        ({"message": "No."}, b"", "HTTP 500: No."),
        ("No.", b"", "HTTP 500: No."),
        ({"error": {"message": "two\n  lines\t\u2028here"}}, b"", "HTTP 500: two lines here"),
        ({"error": {"message": "half \ud83d"}}, b"", "HTTP 500: half ?"),
        (None, b"<h1>Bad\r\nGateway</h1>", "HTTP 500: <h1>Bad Gateway</h1>"),
        (None, b"caf\xe9", "HTTP 500: caf\ufffd"),
        (None, b"", "HTTP 500: "),
        ({"detail": [1]}, b'{"detail": [1]}', 'HTTP 500: {"detail": [1]}'),
        ({"error": {"message": None}}, b"raw", "HTTP 500: raw"),
    ],
)
def test_the_words_are_one_line_of_what_the_server_says(
    content: Any, raw: bytes, words: str
) -> None:
    assert read_words(500, content, raw, KEY) == words


def test_long_words_are_cut() -> None:
    assert read_words(500, "a" * 10_000, b"", KEY) == f"HTTP 500: {'a' * LONGEST_WORDS}"


@pytest.mark.parametrize("before", range(LONGEST_WORDS - len(KEY) - 2, LONGEST_WORDS + 2))
def test_the_cut_leaves_no_part_of_the_key(before: int) -> None:
    words = read_words(401, {"error": {"message": "a" * before + KEY}}, b"", KEY)
    # any six characters of the key in a row would be a part of it
    assert not any(KEY[start : start + 6] in words for start in range(len(KEY) - 5))


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key: {KEY}.",
        f"Bearer {KEY}{KEY}",
        f"Bearer\n{KEY}",
        f"\ud83d{KEY}\ud83d",
        # wrapped or spelled out by the server
        f"{KEY[:12]}\n{KEY[12:]}",
        f"{KEY[:5]} {KEY[5:9]}\r\n  {KEY[9:]}",
    ],
)
def test_a_key_that_the_server_repeats_is_not_in_its_words(text: str) -> None:
    for words in (
        read_words(401, {"error": {"message": text}}, b"", KEY),
        read_words(401, None, text.encode("utf-8", "replace"), KEY),
        scrub(text, KEY),
    ):
        assert KEY not in "".join(words.split())
        assert "[key]" in words


def test_without_a_key_there_is_nothing_to_hide() -> None:
    assert scrub("a text", "") == "a text"


@pytest.mark.parametrize("raw", [b"", b"{'a': 1}", b"caf\xe9", b"[" * 200_000, b"1" * 5000])
def test_what_is_no_json_is_none(raw: bytes) -> None:
    assert parse(raw) is None
    assert parse(b'{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        # OpenAI of models without, and of accounts; vLLM on Gaudi; a schema's check
        (400, "This model does not support the 'logprobs' parameter."),
        (400, "Unrecognized request argument supplied: logprobs"),
        (403, "You are not allowed to request logprobs from this model"),
        (400, "Gaudi doesn't support logprobs. Please remove 'logprobs'/'top_logprobs'"),
        (422, '{"detail":[{"type":"extra_forbidden","loc":["body","logprobs"]}]}'),
        (501, "Logprobs are not implemented"),
    ],
)
def test_a_server_without_log_probabilities_would_turn_every_request_down(
    status: int, words: str
) -> None:
    content = {"error": {"code": None, "message": words}}
    found = read_problem(status, CIMultiDict(), content, f"HTTP {status}: {words}")
    assert (found.passing, found.hopeless, found.of_request) == (False, True, True)
    assert refuses_logprobs(found.words)


def test_a_server_that_breaks_over_log_probabilities_may_be_asked_again() -> None:
    found = read_problem(500, CIMultiDict(), None, "HTTP 500: logprobs worker died")
    assert (found.passing, found.hopeless) == (True, False)
