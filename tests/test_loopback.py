"""The loopback endpoint answers, counts and refuses as real servers do."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import exact_loop
from endpoint import KEY, Endpoint, fingerprint, serve
from faults import (
    BROKEN_OFF,
    ERRORS,
    FINAL_ERRORS,
    FLAWS,
    NO_COMPLETIONS,
    SLOW,
    always,
    first,
)
from loopback_client import BODY, ask, client_of, connect, post, post_all


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as server:
        yield server


def test_the_real_client_reads_a_completion(server: Endpoint) -> None:
    completion = ask(server)
    # the words of four letters or more, ordered by hash; "some question" are 2 words
    assert completion.choices[0].message.content in ("Some. Question.", "Question. Some.")
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (2, 2)
    assert server.received == [BODY]
    assert server.answered == {fingerprint(BODY): 1}


def test_it_lists_its_models(server: Endpoint) -> None:
    server.models = ("a", "b")
    with client_of(server) as client:
        assert [model.id for model in client.models.list()] == ["a", "b"]


def test_half_a_character_is_sent_as_it_came(server: Endpoint) -> None:
    server.reply = lambda body: "\ud83d"
    assert json.loads(post(server)[2])["choices"][0]["message"]["content"] == "\ud83d"


def test_settings_can_change_while_it_runs(server: Endpoint) -> None:
    server.plan = first(1, "broken")
    assert post(server)[0] == 500
    server.plan, server.reply = always(None), lambda body: "else"
    assert ask(server).choices[0].message.content == "else"


def test_requests_at_once_wait_side_by_side(server: Endpoint) -> None:
    server.latency = 0.3
    start = time.monotonic()
    post_all(server, 20 * [BODY])
    # one after the other they would take 6 s
    assert 0.3 <= time.monotonic() - start < 3
    assert server.in_flight_peak == 20
    assert server.in_flight == 0


def test_a_latency_is_not_rounded_to_whole_milliseconds() -> None:
    times = []

    async def wait() -> None:
        for _ in range(50):
            start = time.perf_counter()
            await asyncio.sleep(0.0011)
            times.append(time.perf_counter() - start)

    exact_loop.run(wait())
    # epoll alone waits 2 ms
    assert 0.0011 <= min(times) < 0.0019


def test_jitter_spreads_the_latency_by_its_seed() -> None:
    with serve(latency=0.01, jitter=0.1, seed=1) as server:
        for drawn in (0.134, 0.847, 0.763, 0.255):  # by random.Random(1)
            start = time.monotonic()
            post(server)
            assert time.monotonic() - start >= 0.01 + 0.1 * drawn


def test_bodies_are_kept_only_where_asked_for() -> None:
    with serve(keep_bodies=False) as server:
        post_all(server, 5 * [BODY])
        assert server.received == []
        assert (server.stats()["requests"], server.stats()["bodies_kept"]) == (5, 0)


@pytest.mark.parametrize("fault", [None, *FLAWS, *SLOW, *FINAL_ERRORS])
def test_an_answer_is_counted_and_logged_before_it_is_sent(
    fault: str | None, server: Endpoint, tmp_path: Path
) -> None:
    server.requests_log = tmp_path / "log"
    server.plan = always(fault)
    with connect(server) as connection:
        connection.recv(1)
        assert server.answered == {fingerprint(BODY): 1}
        assert json.loads(server.requests_log.read_text()) == {
            "request": fingerprint(BODY),
            "model": "m",
        }


@pytest.mark.parametrize(
    "fault", sorted({*ERRORS, *NO_COMPLETIONS, *BROKEN_OFF} - {*FINAL_ERRORS, "hang"})
)
def test_what_is_no_answer_is_not_counted_as_one(fault: str, server: Endpoint) -> None:
    server.plan = first(1, fault)
    try:
        post(server)
    except aiohttp.ClientError:
        assert fault in BROKEN_OFF
    assert not server.answered
    post(server)
    assert server.answered == {fingerprint(BODY): 1}


def test_the_counts_of_a_run(server: Endpoint) -> None:
    before = time.time()
    server.latency = 0.2
    server.plan = first(1, "broken")
    other = BODY | {"model": "n"}
    post(server)
    post_all(server, [BODY, BODY, BODY, other])
    stats = server.stats()
    # 5 came, 1 met a fault, 4 were answered, of which 2 had been answered before
    assert stats["requests"] == stats["admitted"] == 5
    assert (stats["answered"], stats["duplicates"], stats["in_flight_peak"]) == (4, 2, 4)
    assert stats["rate_limited"] == 0
    first_arrival, last_answer = stats["first_arrival"], stats["last_answer"]
    assert first_arrival is not None and last_answer is not None
    # twice the latency lies between the first arrival and the last answer
    assert before <= first_arrival and first_arrival + 0.4 <= last_answer <= time.time()


@pytest.mark.parametrize(
    "change",
    [
        {"model": ""},
        {"messages": None},
        {"messages": []},
        {"messages": "hi"},
        {"messages": ["hi"]},
        {"messages": [{"role": "nobody", "content": "hi"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": 7}]},
        {"temperature": 2.5},
        {"temperature": "0"},
        {"top_p": -0.1},
        {"max_tokens": 0},
        {"stream": True},
        {"response_format": "json"},
        {"response_format": {"type": "xml"}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
    ],
)
def test_an_ill_formed_request_is_refused(change: dict[str, Any], server: Endpoint) -> None:
    status, _, content = post(server, BODY | change)
    assert status == 400
    error = json.loads(content)["error"]
    assert error["type"] == "invalid_request_error"
    # the parameter at fault is named
    assert str(error["param"]).startswith(next(iter(change)))
    assert not server.answered


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff{}"])
def test_a_body_that_is_no_json_object_is_refused(data: bytes, server: Endpoint) -> None:
    status, _, content = post(server, data)
    assert (status, server.received) == (400, [])
    assert "could not parse the JSON body" in json.loads(content)["error"]["message"]


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic abc"])
def test_a_request_without_a_key_is_refused(value: str, server: Endpoint) -> None:
    status, _, content = post(server, Authorization=value)
    assert status == 401
    assert "API key" in json.loads(content)["error"]["message"]


def test_an_unknown_path_is_an_error_in_json(server: Endpoint) -> None:
    status, _, content = post(server, path="/completions")
    assert status == 404
    assert json.loads(content)["error"]["message"] == "Invalid URL (POST /v1/completions)"


def test_a_body_above_the_size_limit_is_refused(server: Endpoint) -> None:
    server.max_body = 1000
    assert post(server, BODY | {"user": 500 * "x"})[0] == 200
    assert post(server, BODY | {"user": 1000 * "x"})[0] == 413
    # 4 MiB are more than the connection holds while nobody reads
    assert post(server, BODY | {"user": (1 << 22) * "x"})[0] == 413


def test_a_body_above_the_size_limit_is_not_waited_for(server: Endpoint) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        head = f"Host: h\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 100000000\r\n"
        connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_is_measured_too(server: Endpoint) -> None:
    server.max_body = 10
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        head = f"Host: h\r\nAuthorization: Bearer {KEY}\r\nTransfer-Encoding: chunked\r\n"
        chunks = "b\r\n{0123456789\r\n0\r\n\r\n"  # 11 bytes
        connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n{chunks}".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
