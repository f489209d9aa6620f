"""The loopback endpoint has limits as real servers do."""

import json
import time
from collections.abc import Iterator

import pytest

from endpoint import Endpoint, serve
from faults import (
    always,
)
from limits import Limits
from loopback_client import BODY, ask, client_of, connect, post, post_all


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as server:
        yield server


def test_a_burst_passes_and_the_rest_is_told_when_to_come_again(server: Endpoint) -> None:
    # 12 a minute are 2 in 10 s
    server.limits = Limits(rpm=12, burst=10)
    replies = post_all(server, 5 * [BODY])
    refused = [reply for reply in replies if reply[0] == 429]
    assert len(refused) == 3
    for _, headers, content in refused:
        # the next is free after 5 s, less what has passed
        assert headers["Retry-After"] == "5"
        assert 4000 < int(headers["retry-after-ms"]) <= 5000
        assert json.loads(content)["error"]["code"] == "rate_limit_exceeded"
    assert (server.limits.admitted, server.stats()["rate_limited"]) == (2, 3)


def test_the_real_client_waits_as_it_is_told(server: Endpoint) -> None:
    server.limits = Limits(rpm=120)
    with client_of(server, retries=2) as client:
        start = time.monotonic()
        for _ in range(4):
            client.chat.completions.create(**BODY)
    # two at once, two more after half a second each
    assert time.monotonic() - start >= 0.9


@pytest.mark.parametrize("fault", [None, "broken", "page", "half_body"])
def test_every_reply_tells_of_the_limits(fault: str | None, server: Endpoint) -> None:
    server.limits = Limits(rpm=6000, tpm=60_000)
    server.plan = always(fault)
    # "some question" has 13 characters, 4 tokens; max_tokens is more
    with connect(server, BODY | {"max_tokens": 100}) as connection:
        head = connection.recv(1 << 16).split(b"\r\n\r\n")[0].decode()
    lines = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    # 6000 a minute: 1 comes back in 10 ms; 60,000 a minute: 100 come back in 100 ms
    assert {name: value for name, value in lines.items() if "ratelimit" in name} == {
        "x-ratelimit-limit-requests": "6000",
        "x-ratelimit-remaining-requests": "5999",
        "x-ratelimit-reset-requests": "10ms",
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": "59900",
        "x-ratelimit-reset-tokens": "100ms",
    }


def test_a_server_without_limits_tells_of_none(server: Endpoint) -> None:
    assert not [name for name in post(server)[1] if "ratelimit" in name]


@pytest.mark.parametrize(
    ("limits", "limit", "retry"),
    [
        (Limits(rpm=6), True, True),
        (Limits(rpm=6, headers=False), False, False),
        (Limits(rpm=6, retry_after=False), True, False),
    ],
)
def test_a_server_can_be_silent_about_its_limits(
    limits: Limits, limit: bool, retry: bool, server: Endpoint
) -> None:
    server.limits = limits
    statuses = [reply[0] for reply in post_all(server, 2 * [BODY])]
    assert sorted(statuses) == [200, 429]
    _, headers, _ = post(server)
    assert ("x-ratelimit-limit-requests" in headers) == limit
    assert ("Retry-After" in headers) == ("retry-after-ms" in headers) == retry


def test_no_more_than_the_limit_passes_however_many_come(server: Endpoint) -> None:
    # 100 a second, 10 at once
    server.limits = Limits(rpm=6000, burst=0.1)
    start = time.monotonic()
    while time.monotonic() - start < 0.5:
        post_all(server, 20 * [BODY])
    seconds = time.monotonic() - start
    stats = server.stats()
    assert 10 < server.limits.admitted <= 10 + 100 * seconds
    assert server.limits.admitted == stats["answered"]
    assert server.limits.admitted + server.limits.refused == server.requests


def test_a_bucket_fills_as_time_passes() -> None:
    # 2 a second, 4 at once
    limits = Limits(rpm=120, burst=2)
    assert [limits.take(1, 100.0) is None for _ in range(5)] == [True] * 4 + [False]
    refusal = limits.take(1, 100.2)
    # 0.4 came back, 0.6 are missing: 0.3 s
    assert refusal is not None and refusal.wait == pytest.approx(0.3)
    assert limits.headers(refusal)["retry-after-ms"] == "300"
    assert limits.take(1, 100.5) is None
    # 4 + 1 were taken, 1 came back: 4 of 120, back in 2 s
    assert limits.headers() == {
        "x-ratelimit-limit-requests": "120",
        "x-ratelimit-remaining-requests": "116",
        "x-ratelimit-reset-requests": "2s",
    }


def test_a_request_of_many_tokens_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    # 10 tokens a second, 10 at once
    limits = Limits(tpm=600)
    assert limits.take(1, 100.0) is None
    refusal = limits.take(50, 100.0)
    assert refusal is not None and refusal.wait == pytest.approx(0.1)
    assert limits.take(50, 100.1) is None
    # 50 are owed, 10 may be: 4 s, and one token more
    refusal = limits.take(1, 100.1)
    assert refusal is not None and refusal.wait == pytest.approx(4.1)


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({}, 4),  # "some question" has 13 characters, four a token
        ({"max_tokens": 3}, 4),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
    ],
)
def test_a_request_counts_by_its_characters_or_by_what_it_may_get(
    settings: dict[str, int], tokens: int, server: Endpoint
) -> None:
    ask(server, **settings)
    assert server.stats()["admitted_tokens"] == tokens


def test_a_request_above_the_limit_of_a_minute_never_passes() -> None:
    refusal = Limits(tpm=600).take(601, 0.0)
    assert refusal is not None and refusal.wait is None
    assert "Request too large" in refusal.content["error"]["message"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.012, "12ms"),
        (0.0111, "12ms"),
        (1, "1s"),
        (7.66, "7.66s"),
        (360, "6m0s"),
        (3601.5, "1h0m1.5s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    limits = Limits(rpm=60 * 3600)
    limits.buckets["requests"].used = 3600 * seconds
    assert limits.headers()["x-ratelimit-reset-requests"] == text
