import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canned import Canned, completion, serve_canned
from endpoint import environment
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.completion import (
    CompletionError,
    build_body,
    count_cached_tokens,
    read_code,
    read_completion,
    read_error,
)
from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.errors import InputError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def chosen(reason: str | None = "stop", **message: Any) -> dict[str, Any]:
    whole = completion()
    whole["choices"][0]["message"] |= message
    whole["choices"][0]["finish_reason"] = reason
    return whole


def test_the_body_asks_for_what_is_set_and_that_nothing_is_kept() -> None:
    sampling = Sampling(temperature=0, top_p=0.9, max_tokens=64, seed=7)
    request = ask_user("m", "hi", sampling, {"type": "json_object"})
    assert build_body(request, "127.0.0.1") == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 64,
        "seed": 7,
        "response_format": {"type": "json_object"},
        "store": False,
    }
    assert set(build_body(ask_user("m", "hi", Sampling()), "")) == {"model", "messages", "store"}


def test_a_further_draw_has_a_seed_of_its_own_where_there_is_one() -> None:
    bodies = [
        build_body(Request("m", (), Sampling(seed=7), sample=sample), "h") for sample in range(3)
    ]
    assert [body["seed"] for body in bodies] == [7, 8, 9]
    assert "seed" not in build_body(Request("m", (), Sampling(), sample=2), "h")


def test_log_probabilities_of_the_tokens_alone_are_asked_for() -> None:
    body = build_body(ask_user("m", "hi", Sampling(logprobs=True)), "api.openai.com")
    assert body["logprobs"] is True
    assert "top_logprobs" not in body
    assert "logprobs" not in build_body(ask_user("m", "hi", Sampling(logprobs=False)), "h")


def test_openai_has_its_own_name_for_the_most_tokens() -> None:
    request = ask_user("m", "hi", Sampling(max_tokens=64))
    body = build_body(request, "api.openai.com")
    assert (body["max_completion_tokens"], "max_tokens" in body) == (64, False)
    assert build_body(request, "my-server")["max_tokens"] == 64
    assert "max_completion_tokens" not in build_body(
        ask_user("m", "hi", Sampling()), "api.openai.com"
    )


@pytest.mark.parametrize(
    ("content", "outcome", "text"),
    [
        (chosen(), "answered", "Fine."),
        (chosen("length"), "cut_off", "Fine."),
        (chosen("content_filter"), "filtered", "Fine."),
        (chosen(content=None, refusal="I will not."), "refused", "I will not."),
        (chosen("length", content="So", refusal="I will"), "refused", "I will"),
        (chosen(content=None), "answered", None),
        (chosen(content=""), "answered", ""),
        (chosen(content=" [[5]]\n"), "answered", " [[5]]\n"),
        (chosen(content="half \ud83d"), "answered", "half ?"),
        (chosen(refusal=""), "answered", "Fine."),
    ],
)
def test_a_completion_has_an_outcome_and_its_raw_text(
    content: dict[str, Any], outcome: str, text: str | None
) -> None:
    response = read_completion(content)
    assert (response.outcome, response.text) == (outcome, text)
    assert (response.prompt_tokens, response.completion_tokens) == (2, 3)
    assert str(response.answered_at).endswith("+00:00")


def test_of_several_choices_the_first_counts() -> None:
    content = completion()
    content["choices"].append(chosen(content="Not this one.")["choices"][0])
    assert read_completion(content).text == "Fine."


@pytest.mark.parametrize(
    "usage", [None, {}, {"total_tokens": 5}, [5], "5", {"prompt_tokens": None}]
)
def test_tokens_that_were_not_counted_are_null(usage: Any) -> None:
    response = read_completion(completion(usage=usage))
    assert (response.prompt_tokens, response.completion_tokens) == (None, None)


@pytest.mark.parametrize("count", ["2", 2.5, -1, [2], True, 2**63])
def test_a_count_that_is_no_number_of_tokens_is_null(count: Any) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 3}
    response = read_completion(completion(usage=usage))
    assert (response.prompt_tokens, response.completion_tokens) == (None, 3)


@pytest.mark.parametrize(
    ("served", "kept"), [("m-1", "m-1"), (None, None), ("m\ud800", "m?"), (["m"], None), (7, None)]
)
def test_the_model_that_served_is_a_text_that_can_be_kept(served: Any, kept: str | None) -> None:
    assert read_completion(completion(model=served)).served_model == kept


def test_the_model_that_served_is_null_where_the_server_is_silent() -> None:
    content = completion()
    del content["model"]
    assert read_completion(content).served_model is None


@pytest.mark.parametrize(
    "content",
    [
        None,
        "a page",
        [],
        {},
        {"error": {"message": "Upstream failed", "code": 502}},
        completion(choices=[]),
        completion(choices=None),
        completion(choices=[{"finish_reason": "stop"}]),
        completion(choices=[{"message": None, "finish_reason": "stop"}]),
        completion(choices=[{"message": {"content": "cut"}}]),
        chosen(content=["a", "list"]),
        chosen(content=5),
        chosen(refusal=True),
        chosen(reason=["stop"]),
        # servers that broke off in the middle: OpenRouter, vLLM; SGLang
        chosen(reason="error"),
        chosen(reason="abort"),
        completion(error={"message": "Upstream failed"}),
    ],
)
def test_anything_else_is_no_answer(content: Any) -> None:
    with pytest.raises(CompletionError):
        read_completion(content)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": ANYTHING,
            "usage": ANYTHING
            | st.fixed_dictionaries(
                {},
                optional={
                    "prompt_tokens": ANYTHING,
                    "completion_tokens": ANYTHING,
                    "prompt_tokens_details": ANYTHING
                    | st.fixed_dictionaries({}, optional={"cached_tokens": ANYTHING}),
                },
            ),
            "choices": ANYTHING
            | st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "finish_reason": ANYTHING,
                        "message": ANYTHING
                        | st.fixed_dictionaries(
                            {}, optional={"content": ANYTHING, "refusal": ANYTHING}
                        ),
                    },
                ),
                max_size=2,
            ),
        },
    )
    | ANYTHING
)
def test_whatever_a_server_sends_is_a_response_that_can_be_kept_or_no_answer(content: Any) -> None:
    try:
        response = read_completion(content)
    except CompletionError:
        return
    assert isinstance(count_cached_tokens(content), int)
    for text in (response.text, response.served_model):
        assert text is None or text.encode("utf-8").decode("utf-8") == text
    for count in (response.prompt_tokens, response.completion_tokens):
        assert count is None or (isinstance(count, int) and 0 <= count < 2**63)


def test_cached_tokens_are_those_that_the_server_tells_of() -> None:
    details = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    assert count_cached_tokens(completion(usage=details)) == 4
    for usage in (None, {}, {"prompt_tokens_details": None}, {"prompt_tokens_details": {}}):
        assert count_cached_tokens(completion(usage=usage)) == 0


@pytest.mark.parametrize(
    ("code", "words", "outcome"),
    [
        ("content_filter", "HTTP 400: filtered", "filtered"),
        ("context_length_exceeded", "HTTP 400: too long", "failed"),
        ("string_above_max_length", "HTTP 400: too long", "failed"),
        (400, "HTTP 400: This model's maximum context length is 8 tokens.", "failed"),
    ],
)
def test_an_error_for_the_text_itself_is_kept_as_the_answer(
    code: Any, words: str, outcome: str
) -> None:
    response = read_error(400, {"error": {"code": code, "message": "..."}}, words)
    assert response == Response(outcome, words, answered_at=response.answered_at)


@pytest.mark.parametrize(
    ("status", "code"), [(500, "content_filter"), (400, "unsupported_parameter"), (400, None)]
)
def test_any_other_error_is_none(status: int, code: str | None) -> None:
    assert read_error(status, {"error": {"code": code}}, f"HTTP {status}: no") is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"error": {"code": "a"}}, "a"),
        ({"error": {"code": 400}}, "400"),
        ({"error": {"code": None}}, None),
        ({"error": {}}, None),
        ({"error": "a text"}, None),
        ({"detail": "no error"}, None),
        (["code"], None),
        (None, None),
    ],
)
def test_a_code_is_read_where_there_is_one(content: Any, code: str | None) -> None:
    assert read_code(content) == code


def answer_one(folder: Path, monkeypatch: pytest.MonkeyPatch, *replies: Canned) -> Response:
    with serve_canned(*replies) as server:
        for name, value in environment(server, folder).items():
            monkeypatch.setenv(name, value)
        request = ask_user("gpt-4o-mini", "hi", Sampling(max_tokens=5))
        monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "1")
        [response] = open_assistant("label", "gpt-4o-mini", folder).ask([request])
        return response


@pytest.mark.parametrize(
    "content",
    [
        completion(usage={"prompt_tokens": "2", "completion_tokens": 3}),
        completion(usage={"prompt_tokens": 2**80, "completion_tokens": 3}),
        completion(usage={"prompt_tokens": 2, "prompt_tokens_details": [1]}),
        completion(usage={"prompt_tokens": 2, "prompt_tokens_details": {"cached_tokens": "1"}}),
        completion(model={"name": "m"}),
        completion(model="m\ud800"),
    ],
)
def test_odd_fields_beside_the_text_cost_no_answer(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer_one(tmp_path, monkeypatch, Canned(content)).text == "Fine."


@pytest.mark.parametrize(
    "body",
    [
        b"The prompt is over the maximum context length of 8 tokens",
        b'"over the maximum context length"',
        b'["over the maximum context length"]',
        json.dumps({"error": "over the maximum context length", "usage": 5}).encode(),
    ],
)
def test_an_error_that_is_kept_need_not_be_an_object(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = answer_one(tmp_path, monkeypatch, Canned(body, 400))
    assert response.outcome == "failed"
    assert "context length" in str(response.text)


def test_half_a_completion_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        InputError, match=r"1 requests got no answer .*other than a chat completion"
    ):
        answer_one(tmp_path, monkeypatch, Canned(completion(choices=[])))
