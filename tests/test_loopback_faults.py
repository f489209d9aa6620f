"""The loopback endpoint misbehaves as real servers do."""

import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from endpoint import Endpoint, serve
from faults import (
    HUGE,
    NO_COMPLETIONS,
    SLOW,
    always,
    asked_for,
    first,
    hold_after,
    share,
)
from loopback_client import BODY, ask, client_of, connect, post, receive


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(drip=0.4) as server:
        yield server


@pytest.mark.parametrize(
    ("fault", "error", "code", "param"),
    [
        ("rate_limited", openai.RateLimitError, "rate_limit_exceeded", None),
        ("out_of_quota", openai.RateLimitError, "insufficient_quota", None),
        ("broken", openai.InternalServerError, "server_error", None),
        ("overloaded", openai.InternalServerError, "server_error", None),
        ("timeout_504", openai.InternalServerError, None, None),
        ("bad_gateway", openai.InternalServerError, None, None),
        ("conflict_409", openai.ConflictError, None, None),
        ("wrong_key", openai.AuthenticationError, "invalid_api_key", None),
        ("no_access", openai.PermissionDeniedError, "unsupported_country", None),
        ("unknown_model", openai.NotFoundError, "model_not_found", None),
        ("content_filter", openai.BadRequestError, "content_filter", None),
        ("too_long", openai.BadRequestError, "context_length_exceeded", None),
        ("unsupported_parameter", openai.BadRequestError, "unsupported_parameter", "temperature"),
        ("unsupported_format", openai.BadRequestError, None, "response_format"),
        ("unsupported_logprobs", openai.BadRequestError, None, "logprobs"),
    ],
)
def test_the_real_client_knows_the_errors(
    fault: str,
    error: type[openai.APIStatusError],
    code: str | None,
    param: str | None,
    server: Endpoint,
) -> None:
    server.plan = always(fault)
    with pytest.raises(error) as caught:
        ask(server)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(("fault", "requests"), [("broken", 2), ("should_not_retry", 1)])
def test_a_server_can_say_that_retrying_is_in_vain(
    fault: str, requests: int, server: Endpoint
) -> None:
    server.plan = always(fault)
    with client_of(server, retries=1) as client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**BODY)
    assert server.requests == requests


@pytest.mark.parametrize("fault", sorted(NO_COMPLETIONS))
def test_a_reply_that_is_no_completion_comes_as_it_stands(fault: str, server: Endpoint) -> None:
    server.plan = always(fault)
    status, headers, content = post(server)
    assert (status, headers["Content-Type"], content) == NO_COMPLETIONS[fault]


def test_bytes_of_another_encoding_are_no_json(server: Endpoint) -> None:
    server.plan = always("other_encoding")
    with pytest.raises(UnicodeDecodeError):
        json.loads(post(server)[2])


def test_a_reset_connection_is_reset(server: Endpoint) -> None:
    server.plan = always("reset")
    with pytest.raises(ConnectionResetError):
        receive(connect(server))


def test_a_closed_connection_ends_before_any_byte(server: Endpoint) -> None:
    server.plan = always("disconnect")
    assert receive(connect(server)) == []


def test_of_half_a_body_the_rest_never_comes(server: Endpoint) -> None:
    server.plan = always("half_body")
    head, body = b"".join(piece for _, piece in receive(connect(server))).split(b"\r\n\r\n")
    assert b"Content-Length: 4000" in head
    assert body == b'{"id": "half", "choices": ['


def test_a_hanging_request_gets_nothing_until_the_server_ends() -> None:
    with serve(plan=hold_after(1)) as server:
        assert post(server)[0] == 200
        connection = connect(server)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert server.hanging == 1
    connection.settimeout(5)
    assert receive(connection) == []


@pytest.mark.parametrize("fault", SLOW)
def test_a_slow_reply_comes_in_pieces_and_whole(fault: str, server: Endpoint) -> None:
    server.plan = always(fault)
    pieces = receive(connect(server))
    seconds = [second for second, _ in pieces]
    # 8 pieces, the last after 7/8 of 0.4 s
    assert len(pieces) >= 8 and seconds[-1] >= 0.35
    begun = b"\r\n\r\n" in pieces[0][1]
    assert begun == (fault == "slow_body")
    assert b"\r\n\r\n" in b"".join(piece for _, piece in pieces)
    assert ask(server).choices[0].message.content


def test_a_client_that_leaves_a_slow_reply_does_no_harm(
    server: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan = first(1, "slow_body")
    with connect(server) as connection:
        assert connection.recv(1) == b"H"
    deadline = time.monotonic() + 10
    while server.in_flight:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert post(server)[0] == 200
    assert not caplog.records


def test_completions_can_have_flaws(server: Endpoint) -> None:
    def answer(fault: str) -> Any:
        server.plan = always(fault)
        return ask(server)

    assert answer("length").choices[0].finish_reason == "length"
    assert answer("filtered_reply").choices[0].finish_reason == "content_filter"
    assert answer("refusal").choices[0].message.refusal == "I cannot help with that."
    assert answer("null_content").choices[0].message.content is None
    assert answer("no_usage").usage is None
    assert answer("wrong_model").model == "another-model"
    assert [choice.index for choice in answer("duplicate_choices").choices] == [0, 1]
    assert len(answer("huge").choices[0].message.content) == HUGE == 5_000_000


def test_a_fault_can_last_as_long_as_a_parameter_is_sent(server: Endpoint) -> None:
    server.plan = asked_for("temperature", "unsupported_parameter")
    with pytest.raises(openai.BadRequestError):
        ask(server, temperature=0)
    assert ask(server).choices


def test_a_misspelt_fault_is_no_answer(server: Endpoint) -> None:
    server.plan = always("brokn")
    assert post(server)[0] == 500
    assert not server.answered


def test_a_share_of_the_requests_meets_faults_the_same_ones_for_a_seed() -> None:
    def draw(seed: int) -> list[str | None]:
        plan = share(0.1, ["broken", "reset"], seed)
        return [plan(arrival, BODY) for arrival in range(10_000)]

    faults = draw(1)
    # 10,000 draws of 0.1: 1000, standard deviation 30; of each kind 500, standard deviation 22
    assert 880 <= 10_000 - faults.count(None) <= 1120
    assert 410 <= faults.count("broken") <= 590
    assert faults == draw(1) != draw(2)


def test_under_a_share_of_faults_sending_again_ends(server: Endpoint) -> None:
    server.plan = share(0.5, ["broken", "overloaded"], 3)
    # 20 failures in a row: 0.5^20, one in a million, and the same for the seed
    assert 200 in [post(server)[0] for _ in range(20)]
