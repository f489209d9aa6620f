import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from endpoint import Endpoint, environment, serve
from faults import Plan, first, share
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.endpoint import BACKOFF, _choose_wait
from feedback_lens.calls.pacing import BURST, REVIEW_SECONDS, Lane, Pace
from feedback_lens.calls.problem import Problem
from feedback_lens.calls.request import Response, Sampling, ask_user
from feedback_lens.errors import InputError
from limits import Limits

ANNOUNCED = {"x-ratelimit-limit-requests": "600", "x-ratelimit-limit-tokens": "6000"}


def test_a_lane_spreads_its_starts_and_lets_a_little_out_at_once_after_silence() -> None:
    lane = Lane(10.0)
    assert BURST == 0.25
    # one every tenth of a second; 0.25 s of silence let the first three go now
    starts = [lane.book(1, 100.0) for _ in range(5)]
    assert starts == pytest.approx([99.75, 99.85, 99.95, 100.05, 100.15])
    assert lane.book(1, 200.0) == 199.75


def test_a_lane_books_units_and_corrects_them() -> None:
    lane = Lane(100.0)
    assert lane.book(50, 100.0) == 99.75
    # 50 units take half a second; 30 more than booked another 0.3
    lane.correct(30)
    assert lane.book(1, 100.0) == pytest.approx(100.55)
    lane.correct(-1)
    assert lane.book(1, 100.0) == pytest.approx(100.55)


def test_a_lane_without_a_rate_has_no_limit() -> None:
    lane = Lane(None)
    lane.correct(10**9)
    assert [lane.book(10**9, 7.0) for _ in range(3)] == [7.0, 7.0, 7.0]


def admit(pace: Pace, count: int, tokens: float) -> float:
    """Seconds until so many requests were let out."""

    async def run() -> None:
        await asyncio.gather(*(pace.admit(tokens) for _ in range(count)))

    began = time.monotonic()
    asyncio.run(run())
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("requests", "tokens", "seconds"),
    [
        # 40 requests at 100 a second: the last one is due after 39 / 100 - 0.25
        (6000, None, 0.14),
        # 40 * 10 tokens at 1000 a second: after 390 / 1000 - 0.25
        (None, 60_000, 0.14),
        # the slower of both: 390 / 500 - 0.25
        (60_000, 30_000, 0.53),
        (None, None, 0.0),
    ],
)
def test_requests_and_tokens_each_have_a_pace(
    requests: float | None, tokens: float | None, seconds: float
) -> None:
    assert seconds <= admit(Pace(requests, tokens), 40, 10) < seconds + 0.2


def test_an_announced_limit_is_taken_where_none_is_set() -> None:
    pace = Pace(None, None)
    pace.note_answer(ANNOUNCED, 0)
    # 10 requests a second: 9 / 10 - 0.25
    assert 0.65 <= admit(pace, 10, 1) < 0.85
    pace = Pace(None, None)
    pace.note_refusal(ANNOUNCED, None)
    # 100 tokens a second: 90 / 100 - 0.25
    assert 0.65 <= admit(pace, 4, 30) < 0.85


def test_a_limit_that_is_set_holds_against_an_announced_one() -> None:
    pace = Pace(60_000, 60_000_000)
    pace.note_answer(ANNOUNCED, 0)
    assert admit(pace, 20, 100) < 0.1


def meet(pace: Pace, answers: int, refusals: int) -> None:
    """A second in which so many replies come, and its review."""
    for _ in range(refusals):
        pace.note_refusal({}, None)
    for _ in range(answers - 1):
        pace.note_answer({}, 0)
    time.sleep(REVIEW_SECONDS)
    pace.note_answer({}, 0)


def test_where_many_are_refused_the_pace_becomes_what_went_through() -> None:
    pace = Pace(None, None)
    meet(pace, answers=30, refusals=10)
    # 30 a second, or a little less for the time it took: 29 / 30 - 0.25
    assert 0.71 <= admit(pace, 30, 1) < 0.95


def test_a_pace_rises_where_few_are_refused() -> None:
    pace = Pace(None, None)
    meet(pace, answers=30, refusals=10)
    meet(pace, answers=30, refusals=0)
    # a tenth more than 30 a second: 29 / 33 - 0.25
    assert 0.62 <= admit(pace, 30, 1) < 0.71


def test_a_stray_refusal_sets_no_pace() -> None:
    pace = Pace(None, None)
    meet(pace, answers=30, refusals=1)
    assert admit(pace, 1000, 1000) < 0.2


@pytest.mark.parametrize("value", ["0", "-1", "none", "nan", "inf", ""])
def test_an_announced_limit_that_is_none_is_passed_over(value: str) -> None:
    pace = Pace(None, None)
    pace.note_answer(dict.fromkeys(ANNOUNCED, value), 0)
    assert admit(pace, 100, 1000) < 0.1


@pytest.mark.parametrize("tries", range(1, 12))
def test_the_backoff_doubles_to_a_bound_with_jitter(tries: int) -> None:
    longest = [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30][tries - 1]
    waits = [_choose_wait(Problem("no"), tries) for _ in range(200)]
    assert BACKOFF == (0.5, 30.0)
    assert 0.75 * longest <= min(waits) < 0.8 * longest
    assert 0.95 * longest < max(waits) <= longest


def test_what_the_server_says_takes_the_place_of_the_backoff() -> None:
    assert _choose_wait(Problem("no", wait=7.0), 3) == 7.0
    assert _choose_wait(Problem("no", wait=0.0), 3) == 0.0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    with serve() as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


def watch(plan: Plan) -> tuple[list[float], Plan]:
    """A plan that notes when each request arrives."""
    arrivals: list[float] = []

    def note(arrival: int, body: Mapping[str, Any]) -> str | None:
        arrivals.append(time.monotonic())
        return plan(arrival, body)

    return arrivals, note


def ask_all(folder: Path, count: int, **sampling: Any) -> list[Response]:
    requests = [ask_user("m", f"{number}", Sampling(**sampling)) for number in range(count)]
    return open_assistant("label", "m", folder).ask(requests)


def most_within(arrivals: list[float], seconds: float) -> int:
    """The most arrivals in any window of so many seconds."""
    return max(sum(start <= other < start + seconds for other in arrivals) for start in arrivals)


def test_a_limit_of_requests_a_minute_holds_and_is_used(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RPM", "1800")
    monkeypatch.setenv("FEEDBACK_LENS_CONCURRENCY", "16")
    arrivals, server.plan = watch(server.plan)
    ask_all(tmp_path, 60)
    # 30 a second; a quarter of a second's worth may come at once, and one at either end
    assert most_within(arrivals, 1.0) <= 30 + 7.5 + 2
    assert most_within(arrivals, 0.5) <= 15 + 7.5 + 2
    # 59 / 30 - 0.25
    assert 1.7 <= arrivals[-1] - arrivals[0] < 2.1


def test_a_limit_of_tokens_a_minute_holds_as_the_server_counts(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as OpenAI's: max_tokens count, and not what the reply has of them
    server.limits = Limits(tpm=60_000, burst=1.0, headers=False)
    monkeypatch.setenv("FEEDBACK_LENS_TPM", "60000")
    ask_all(tmp_path, 30, max_tokens=80)
    assert server.limits.refused == 0


@pytest.mark.parametrize("limits", [{"rpm": 900}, {"tpm": 90_000}], ids=["requests", "tokens"])
def test_announced_limits_are_learned_from_the_first_answers(
    limits: dict[str, float], server: Endpoint, tmp_path: Path
) -> None:
    # 15 a second, or 1500 tokens in requests of 80 and what their texts have
    server.limits = Limits(**limits)
    ask_all(tmp_path, 30, max_tokens=80)
    assert server.limits.refused == 0
    assert server.requests == 30


def test_without_headers_the_pace_is_found_out_by_refusals(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_CONCURRENCY", "16")
    server.limits = Limits(rpm=3000, burst=0.2, headers=False)
    ask_all(tmp_path, 80)
    assert server.limits.admitted == 80
    # fewer refusals than answers, and nothing lost
    assert 0 < server.limits.refused < 80


def test_a_429_costs_no_try_and_stops_all_starts_until_it_is_over(
    server: Endpoint, tmp_path: Path
) -> None:
    # nothing is retried; all four in flight are refused at once
    server.retry_after = "0.6"
    arrivals, server.plan = watch(first(4, "rate_limited"))
    assert [response.outcome for response in ask_all(tmp_path, 12)] == ["answered"] * 12
    assert len(arrivals) == 16
    assert arrivals[4] - arrivals[3] >= 0.59


def test_one_429_stops_requests_that_were_not_refused_too(server: Endpoint, tmp_path: Path) -> None:
    server.retry_after, server.latency = "0.6", 0.1
    arrivals, server.plan = watch(first(1, "rate_limited"))
    ask_all(tmp_path, 12)
    refused = arrivals[0] + server.latency
    # those that were started before the refusal was read may still arrive
    assert not [time for time in arrivals if refused + 0.1 < time < refused + 0.55]
    assert len(arrivals) == 13


def test_stray_refusals_do_not_slow_a_run_down(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_CONCURRENCY", "16")
    server.latency, server.retry_after = 0.05, "0.01"
    server.plan = share(0.02, ["rate_limited"], seed=1)
    began = time.monotonic()
    ask_all(tmp_path, 500)
    # 500 * 0.05 / 16 = 1.6 s
    assert time.monotonic() - began < 2.4


def test_a_wait_beyond_all_patience_gives_up_with_the_words(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_TOTAL_TIMEOUT", "5")
    server.plan, server.retry_after = first(1, "rate_limited"), "3600"
    began = time.monotonic()
    with pytest.raises(InputError, match=r"label: 1 requests .*HTTP 429: Rate limit reached"):
        ask_all(tmp_path, 1)
    assert time.monotonic() - began < 1


def test_patience_ends_tries_that_would_go_on(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_TOTAL_TIMEOUT", "1")
    server.retry_after = "0.3"
    arrivals, server.plan = watch(first(100, "rate_limited"))
    with pytest.raises(InputError, match="HTTP 429"):
        ask_all(tmp_path, 1)
    # at 0, 0.3, 0.6 and 0.9 s; the next would be at 1.2
    assert len(arrivals) == 4
