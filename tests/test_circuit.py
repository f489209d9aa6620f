import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from endpoint import Endpoint, environment, serve
from faults import always, asked_for
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.circuit import PATIENCE, Circuit
from feedback_lens.calls.problem import Problem
from feedback_lens.calls.request import Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

BROKEN, HOPELESS = Problem("HTTP 500: broken"), Problem("HTTP 401: no", hopeless=True)


def test_one_hopeless_problem_opens_it() -> None:
    circuit = Circuit("label")
    circuit.note_loss(BROKEN)
    assert not circuit.is_open
    circuit.note_loss(HOPELESS)
    circuit.note_answer()  # was in flight
    assert circuit.is_open


def test_losses_in_a_row_open_it_and_an_answer_starts_the_count_anew() -> None:
    circuit = Circuit("label")
    for _ in range(PATIENCE - 1):
        circuit.note_loss(BROKEN)
    circuit.note_answer()
    for _ in range(PATIENCE - 1):
        circuit.note_loss(BROKEN)
    assert not circuit.is_open
    circuit.note_loss(BROKEN)
    assert circuit.is_open


def test_without_losses_there_is_nothing_to_report() -> None:
    circuit = Circuit("label")
    circuit.note_answer()
    circuit.report()


def test_a_report_counts_losses_and_answers_and_says_what_to_do() -> None:
    circuit = Circuit("label")
    circuit.note_answer()
    circuit.note_loss(BROKEN)
    with pytest.raises(InputError) as error:
        circuit.report()
    assert error.value.message == (
        "label: 1 requests got no answer (HTTP 500: broken); 1 were answered and are kept: "
        "run again"
    )


def test_a_report_names_the_hopeless_problem_whatever_came_after() -> None:
    circuit = Circuit("label")
    for problem in (BROKEN, HOPELESS, BROKEN):
        circuit.note_loss(problem)
    with pytest.raises(InputError) as error:
        circuit.report()
    assert error.value.message == (
        "label: 3 requests got no answer (HTTP 401: no); no more were sent; 0 were answered and "
        "are kept: check key, OPENAI_BASE_URL and model, then run again"
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    with serve() as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


def ask_all(folder: Path, count: int, **sampling: Any) -> None:
    requests = [ask_user("m", f"{number}", Sampling(**sampling)) for number in range(count)]
    open_assistant("label", "m", folder).ask(requests)


def count_stored(folder: Path) -> int:
    store = ResponseStore(folder / "store.sqlite")
    count = len(list(store.rows()))
    store.close()
    return count


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong_key", r"HTTP 401: Incorrect API key provided: Bearer \[key\]"),
        ("no_access", "HTTP 403: Country not supported"),
        ("unknown_model", "HTTP 404: The model does not exist"),
        ("out_of_quota", "HTTP 429: You exceeded your current quota"),
    ],
)
def test_a_hopeless_run_ends_with_what_is_in_flight(
    fault: str, words: str, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "5")
    server.plan = always(fault)
    with pytest.raises(InputError, match=rf"label: [1-4] requests .*{words}.*; no more were sent"):
        ask_all(tmp_path, 2000)
    assert len(server.received) <= 4


def test_a_setting_that_the_model_refuses_ends_the_run(server: Endpoint, tmp_path: Path) -> None:
    server.plan = asked_for("temperature", "unsupported_parameter")
    with pytest.raises(InputError, match=r"'temperature' is not supported .*no more were sent"):
        ask_all(tmp_path, 50, temperature=0.5)
    assert len(server.received) <= 4
    ask_all(tmp_path, 50)


def test_a_server_that_is_down_is_not_asked_to_the_end(server: Endpoint, tmp_path: Path) -> None:
    server.plan = always("broken")
    with pytest.raises(
        InputError, match=r"label: 1[6-9] requests got no answer .*no more were sent"
    ):
        ask_all(tmp_path, 300)
    assert PATIENCE <= len(server.received) <= PATIENCE + 3  # 3 more were in flight


@pytest.mark.parametrize("slots", [1, 4])
def test_requests_that_have_no_answer_do_not_end_a_run_that_works(
    slots: int, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_CONCURRENCY", str(slots))
    # all that are in flight at once are lost, more than once
    server.plan = lambda arrival, body: "broken" if arrival % 12 < 8 else None
    with pytest.raises(InputError, match=r"label: 16 requests .*; 8 were answered and are kept"):
        ask_all(tmp_path, 24)
    assert len(server.received) == 24
    assert count_stored(tmp_path) == 8


def test_what_was_answered_before_a_hopeless_error_is_kept(
    server: Endpoint, tmp_path: Path
) -> None:
    server.latency = 0.03
    server.plan = lambda arrival, body: "wrong_key" if arrival == 8 else None
    with pytest.raises(InputError, match="HTTP 401"):
        ask_all(tmp_path, 40)
    # all that the server answered, those that were in flight beside the error too
    assert count_stored(tmp_path) == sum(server.answered.values()) >= 8
    assert len(server.received) <= 12


def test_what_waits_for_its_next_try_is_not_sent_any_more(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "5")

    def plan(arrival: int, body: Mapping[str, Any]) -> str:
        return "broken" if arrival < 3 else "wrong_key"

    server.plan = plan
    began = time.monotonic()
    with pytest.raises(InputError, match=r"label: 4 requests got no answer \(HTTP 401"):
        ask_all(tmp_path, 40)
    assert len(server.received) == 4
    # the first wait is 0.375 s at least
    assert time.monotonic() - began < 0.35


def test_what_waits_for_the_pace_is_not_sent_any_more(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one a second
    monkeypatch.setenv("FEEDBACK_LENS_RPM", "60")
    server.plan = always("wrong_key")
    began = time.monotonic()
    with pytest.raises(InputError, match="HTTP 401"):
        ask_all(tmp_path, 40)
    assert len(server.received) <= 2
    assert time.monotonic() - began < 0.9


def test_a_wait_that_is_longer_than_all_patience_ends_the_run(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "5")
    monkeypatch.setenv("FEEDBACK_LENS_TOTAL_TIMEOUT", "2")
    server.plan, server.retry_after = always("rate_limited"), "4"
    began = time.monotonic()
    with pytest.raises(InputError, match=r"HTTP 429: Rate limit reached"):
        ask_all(tmp_path, 40)
    # nobody slept through what the server asked for
    assert time.monotonic() - began < 1.5
    assert len(server.received) <= PATIENCE + 3
