import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from endpoint import KEY, Endpoint, environment, serve
from faults import Plan, always, first, hold_after
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.endpoint import PATIENCE, ask_endpoint
from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

# asks 40 questions through store and endpoint, as a stage does
CLIENT = """
import sys
from pathlib import Path
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Sampling, ask_user
assistant = open_assistant("label", "m", Path(sys.argv[1]))
responses = assistant.ask([ask_user("m", f"question {n}", Sampling()) for n in range(40)])
print(len(responses))
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    with serve() as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


def ask(count: int = 1) -> list[Request]:
    return [ask_user("m", f"question {number}", Sampling()) for number in range(count)]


def answer_one(server: Endpoint, plan: Plan) -> Response:
    server.plan = plan
    [(_, response)] = ask_endpoint(ask(), "label")
    return response


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stored(folder: Path) -> list[dict[str, Any]]:
    store = ResponseStore(folder / "store.sqlite")
    rows = list(store.rows())
    store.close()
    return rows


def test_an_answer_comes_with_its_model_and_its_tokens(server: Endpoint) -> None:
    response = answer_one(server, always(None))
    # "question 0" are 2 words; the reply is its one word of four letters or more
    assert response == Response(
        "answered", "Question.", "m-loopback", 2, 1, answered_at=response.answered_at
    )
    assert str(response.answered_at).endswith("+00:00")


def test_the_body_holds_what_was_asked_and_tells_the_server_to_keep_nothing(
    server: Endpoint,
) -> None:
    sampling = Sampling(temperature=0, max_tokens=64, seed=7)
    request = ask_user("m", "hi", sampling, {"type": "json_object"})
    list(ask_endpoint([request], "label"))
    assert server.received == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "temperature": 0.0,
            "max_tokens": 64,
            "seed": 7,
            "response_format": {"type": "json_object"},
            "store": False,
        }
    ]


def test_what_is_not_set_is_not_sent(server: Endpoint) -> None:
    answer_one(server, always(None))
    assert set(server.received[0]) == {"model", "messages", "store"}


@pytest.mark.parametrize(
    ("fault", "outcome", "text"),
    [
        ("length", "cut_off", "Question."),
        ("filtered_reply", "filtered", "Question."),
        ("refusal", "refused", "I cannot help with that."),
        ("content_filter", "filtered", "Error code: 400 - The prompt was filtered: Bearer [key]"),
        ("too_long", "failed", "Error code: 400 - The maximum context length is 8 tokens"),
        ("no_usage", "answered", "Question."),
    ],
)
def test_an_answer_that_is_no_plain_one_has_an_outcome_with_a_name(
    fault: str, outcome: str, text: str, server: Endpoint
) -> None:
    response = answer_one(server, always(fault))
    assert (response.outcome, response.text) == (outcome, text)


def test_tokens_that_the_server_did_not_count_are_null(server: Endpoint) -> None:
    response = answer_one(server, always("no_usage"))
    assert (response.prompt_tokens, response.completion_tokens) == (None, None)


def test_half_a_character_in_a_reply_can_be_stored(server: Endpoint, tmp_path: Path) -> None:
    server.reply = lambda body: "a \ud83d b"
    assert [response.text for response in open_assistant("label", "m", tmp_path).ask(ask())] == [
        "a ? b"
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("wrong_key", "AuthenticationError"),
        ("no_access", "PermissionDeniedError"),
        ("unknown_model", "NotFoundError"),
        ("out_of_quota", "RateLimitError"),
    ],
)
def test_an_endpoint_that_turns_requests_down_is_asked_no_more(
    fault: str, error: str, server: Endpoint
) -> None:
    server.plan = always(fault)
    with pytest.raises(
        InputError, match=rf"label: 50 of 50 .*{error}.*check key, OPENAI_BASE_URL and model"
    ):
        list(ask_endpoint(ask(50), "label"))
    assert len(server.received) <= 4  # those that were in flight at once


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limited", "RateLimitError"),
        ("broken", "InternalServerError"),
        ("overloaded", "InternalServerError"),
        ("reset", "APIConnectionError"),
        ("half_body", "APIConnectionError"),
        ("no_json", "sent no JSON"),
        ("no_choices", "other than a chat completion"),
        ("no_message", "other than a chat completion"),
        ("page", "other than a chat completion"),
    ],
)
def test_a_request_without_an_answer_is_an_error_and_the_others_are_kept(
    fault: str, error: str, server: Endpoint, tmp_path: Path
) -> None:
    server.plan = first(1, fault)
    assistant = open_assistant("label", "m", tmp_path)
    with pytest.raises(InputError, match=rf"label: 1 of 3 requests got no answer .*{error}.*kept"):
        assistant.ask(ask(3))
    assert len(stored(tmp_path)) == 2
    assert len(assistant.ask(ask(3))) == 3
    assert sorted(server.answered.values()) == [1, 1, 1]


@pytest.mark.parametrize("fault", ["rate_limited", "broken", "overloaded", "reset", "half_body"])
def test_what_passes_is_retried(
    fault: str, server: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "1")
    assert answer_one(server, first(1, fault)).outcome == "answered"
    assert len(server.received) == 2


def test_retry_after_is_obeyed(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "1")
    server.retry_after = "1.2"
    start = time.monotonic()
    assert answer_one(server, first(1, "rate_limited")).outcome == "answered"
    # the client's own first wait is 0.5 s at most
    assert time.monotonic() - start >= 1.2


def test_a_server_that_hangs_is_given_up_after_the_timeout(
    server: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_TIMEOUT", "0.3")
    server.plan = first(1, "hang")
    with pytest.raises(InputError, match=r"label: 1 of 1 .*APITimeoutError"):
        list(ask_endpoint(ask(), "label"))


def test_a_server_that_is_down_is_not_asked_to_the_end(server: Endpoint) -> None:
    server.plan = always("broken")
    with pytest.raises(InputError, match="label: 300 of 300 requests got no answer"):
        list(ask_endpoint(ask(300), "label"))
    assert len(server.received) <= PATIENCE + 3  # 3 more are in flight when the last one fails


def test_what_was_answered_before_a_hopeless_error_is_kept(
    server: Endpoint, tmp_path: Path
) -> None:
    server.latency = 0.03
    server.plan = lambda arrival, body: "wrong_key" if arrival == 8 else None
    with pytest.raises(InputError, match="AuthenticationError"):
        open_assistant("label", "m", tmp_path).ask(ask(40))
    # all that the server answered, those that were in flight beside the error too
    assert len(stored(tmp_path)) == sum(server.answered.values()) >= 8
    assert len(server.received) < 16


def test_no_more_answers_wait_to_be_kept_than_are_in_flight_at_once(server: Endpoint) -> None:
    taken = 0
    for _ in ask_endpoint(ask(40), "label"):
        time.sleep(0.01)  # a slow disk
        assert sum(server.answered.values()) - taken <= 4
        taken += 1
    assert taken == 40


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal; a shell starts background jobs, such as CI's, with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_orderly_and_what_was_answered_is_kept(
    server: Endpoint, tmp_path: Path
) -> None:
    def interrupt(arrival: int, body: Mapping[str, Any]) -> str | None:
        if arrival == 12:
            os.kill(os.getpid(), signal.SIGINT)
        return None if arrival < 12 else "hang"

    server.plan = interrupt
    with pytest.raises(KeyboardInterrupt):
        open_assistant("label", "m", tmp_path).ask(ask(40))
    # request 12 is sent when the ninth answer was kept: 12 - 4 + 1
    assert len(stored(tmp_path)) >= 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FEEDBACK_LENS_CONCURRENCY", "0"),
        ("FEEDBACK_LENS_CONCURRENCY", "many"),
        ("FEEDBACK_LENS_TIMEOUT", "nan"),
        ("FEEDBACK_LENS_RETRIES", "-1"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    name: str, value: str, server: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=rf"{name}='{value}': set it to a number"):
        list(ask_endpoint(ask(), "label"))
    assert server.received == []


def start_client(server: Endpoint, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(folder)],
        env=os.environ | environment(server, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_after_a_kill_no_answered_request_is_sent_again(server: Endpoint, tmp_path: Path) -> None:
    server.plan = hold_after(20)
    with start_client(server, tmp_path) as client:
        # all four that are in flight hang: the answers before them have been taken
        wait_for(lambda: server.hanging == 4)
        client.kill()
    assert len(stored(tmp_path)) == 20
    server.plan = always(None)
    with start_client(server, tmp_path) as client:
        assert client.communicate(timeout=60)[0] == "40\n"
    assert len(server.answered) == 40
    assert set(server.answered.values()) == {1}


def test_a_kill_at_any_moment_costs_no_more_than_what_is_in_flight(
    server: Endpoint, tmp_path: Path
) -> None:
    server.latency = 0.02
    with start_client(server, tmp_path) as client:
        wait_for(lambda: sum(server.answered.values()) >= 14)
        client.kill()
    assert client.returncode == -signal.SIGKILL
    with start_client(server, tmp_path) as client:
        assert client.communicate(timeout=60)[0] == "40\n"
    assert len(server.answered) == 40
    assert sum(server.answered.values()) - 40 <= 4


def test_the_key_shows_nowhere(server: Endpoint, tmp_path: Path) -> None:
    # the server repeats the key in both: one is kept as a response, the other ends the run
    server.plan = lambda arrival, body: "content_filter" if arrival < 2 else "wrong_key"
    with start_client(server, tmp_path) as client:
        output = client.communicate(timeout=60)
    assert client.returncode == 1
    assert "Bearer [key]" in output[1]
    assert KEY not in "".join(output)
    assert [row["outcome"] for row in stored(tmp_path)] == ["filtered", "filtered"]
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_the_loopback_endpoint_runs_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, log = tmp_path / "port", tmp_path / "requests.jsonl"
    options = ["--port-file", str(port), "--requests-log", str(log), "--hold", "2"]
    script = str(Path(__file__).with_name("endpoint.py"))
    with subprocess.Popen([sys.executable, script, *options], stdout=subprocess.PIPE) as process:
        try:
            wait_for(port.exists)
            monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port.read_text()}/v1")
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            monkeypatch.setenv("FEEDBACK_LENS_TIMEOUT", "0.5")
            monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "0")
            with pytest.raises(InputError, match="label: 1 of 3 requests got no answer"):
                list(ask_endpoint(ask(3), "label"))
        finally:
            process.kill()
    lines = log.read_text().splitlines()
    assert len({json.loads(line)["request"] for line in lines}) == len(lines) == 2
