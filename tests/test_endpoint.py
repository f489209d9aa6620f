import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from endpoint import Endpoint, environment, serve
from faults import HUGE, Plan, always, first, hold_after
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.endpoint import is_same_model
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


def ask_all(folder: Path, count: int = 1) -> list[Response]:
    return open_assistant("label", "m", folder).ask(ask(count))


def answer_one(server: Endpoint, folder: Path, plan: Plan) -> Response:
    server.plan = plan
    [response] = ask_all(folder)
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


def test_an_answer_comes_with_its_model_and_its_tokens(server: Endpoint, tmp_path: Path) -> None:
    response = answer_one(server, tmp_path, always(None))
    # "question 0" are 2 words; the reply is its one word of four letters or more
    assert response == Response(
        "answered", "Question.", "m-loopback", 2, 1, answered_at=response.answered_at
    )
    assert str(response.answered_at).endswith("+00:00")


def test_the_body_holds_what_was_asked_and_tells_the_server_to_keep_nothing(
    server: Endpoint, tmp_path: Path
) -> None:
    sampling = Sampling(temperature=0, max_tokens=64, seed=7)
    request = ask_user("m", "Grüße \ud83d 👋\n", sampling, {"type": "json_object"})
    open_assistant("label", "m", tmp_path).ask([request])
    assert server.received == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Grüße \ud83d 👋\n"}],
            "temperature": 0.0,
            "max_tokens": 64,
            "seed": 7,
            "response_format": {"type": "json_object"},
            "store": False,
        }
    ]


def test_what_is_not_set_is_not_sent(server: Endpoint, tmp_path: Path) -> None:
    answer_one(server, tmp_path, always(None))
    assert set(server.received[0]) == {"model", "messages", "store"}


@pytest.mark.parametrize(
    ("fault", "outcome", "text", "tokens"),
    [
        ("length", "cut_off", "Question.", 2),
        ("filtered_reply", "filtered", "Question.", 2),
        ("refusal", "refused", "I cannot help with that.", 2),
        ("content_filter", "filtered", "HTTP 400: The prompt was filtered: Bearer [key]", None),
        ("too_long", "failed", "HTTP 400: The maximum context length is 8 tokens", None),
        ("no_usage", "answered", "Question.", None),
        ("null_content", "answered", None, 2),
        ("duplicate_choices", "answered", "Question.", 2),
    ],
)
def test_an_answer_has_an_outcome_with_a_name_its_raw_text_and_usage(
    fault: str,
    outcome: str,
    text: str | None,
    tokens: int | None,
    server: Endpoint,
    tmp_path: Path,
) -> None:
    response = answer_one(server, tmp_path, always(fault))
    assert (response.outcome, response.text, response.prompt_tokens) == (outcome, text, tokens)
    [row] = stored(tmp_path)
    assert (row["outcome"], row["text"], row["prompt_tokens"]) == (outcome, text, tokens)
    assert ask_all(tmp_path) == [response]
    assert len(server.received) == 1


def test_the_model_that_answered_in_place_of_the_one_asked_is_kept(
    server: Endpoint, tmp_path: Path
) -> None:
    assert answer_one(server, tmp_path, always("wrong_model")).served_model == "another-model"


def test_a_huge_reply_is_kept_whole(server: Endpoint, tmp_path: Path) -> None:
    assert len(str(answer_one(server, tmp_path, always("huge")).text)) == HUGE
    assert len(stored(tmp_path)[0]["text"]) == HUGE


def test_half_a_character_in_a_reply_can_be_stored(server: Endpoint, tmp_path: Path) -> None:
    server.reply = lambda body: "a \ud83d b"
    assert [response.text for response in ask_all(tmp_path)] == ["a ? b"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("broken", "HTTP 500: The server had an error"),
        ("overloaded", "HTTP 503: The server is overloaded"),
        ("timeout_504", "HTTP 504"),
        ("conflict_409", "HTTP 409"),
        ("bad_gateway", "HTTP 502: <html><h1>502 Bad Gateway"),
        ("unsupported_format", "HTTP 400: response_format is not supported"),
        ("reset", "ClientOSError|ServerDisconnectedError"),
        ("disconnect", "ServerDisconnectedError"),
        ("half_body", "ClientPayloadError"),
        ("no_json", "other than a chat completion"),
        ("no_choices", "other than a chat completion"),
        ("no_message", "other than a chat completion"),
        ("error_in_200", "other than a chat completion"),
        ("other_encoding", "other than a chat completion"),
        ("empty_body", "other than a chat completion"),
        ("page", "other than a chat completion"),
    ],
)
def test_a_request_without_an_answer_is_an_error_and_the_others_are_kept(
    fault: str, error: str, server: Endpoint, tmp_path: Path
) -> None:
    server.plan = first(1, fault)
    with pytest.raises(
        InputError, match=rf"label: 1 requests got no answer \(.*({error}).*\); 2 were answered"
    ):
        ask_all(tmp_path, 3)
    assert len(stored(tmp_path)) == 2
    assert len(ask_all(tmp_path, 3)) == 3
    assert sorted(server.answered.values()) == [1, 1, 1]


@pytest.mark.parametrize(
    "fault", ["broken", "overloaded", "conflict_409", "reset", "disconnect", "half_body", "no_json"]
)
def test_what_passes_is_retried(
    fault: str, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "1")
    began = time.monotonic()
    assert answer_one(server, tmp_path, first(1, fault)).outcome == "answered"
    assert len(server.received) == 2
    # the first wait is 0.5 s less a quarter at most
    assert 0.375 <= time.monotonic() - began < 0.9


@pytest.mark.parametrize("fault", ["should_not_retry", "unsupported_format"])
def test_what_would_come_again_is_not_retried(
    fault: str, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "5")
    with pytest.raises(InputError, match="label: 1 requests got no answer"):
        answer_one(server, tmp_path, always(fault))
    assert len(server.received) == 1


def test_retries_are_bounded(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "3")
    server.retry_after = "0"
    with pytest.raises(InputError, match="HTTP 503"):
        answer_one(server, tmp_path, always("overloaded"))
    assert len(server.received) == 4


def test_retry_after_is_obeyed(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "1")
    server.retry_after = "0.8"
    start = time.monotonic()
    assert answer_one(server, tmp_path, first(1, "overloaded")).outcome == "answered"
    # the client's own first wait is 0.5 s at most
    assert time.monotonic() - start >= 0.8


@pytest.mark.parametrize("fault", ["hang", "slow_head", "slow_body"])
def test_a_server_that_is_too_slow_is_given_up_after_the_timeout(
    fault: str, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_TIMEOUT", "0.3")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"label: 1 requests .*\(no answer in 0\.3 s\)"):
        answer_one(server, tmp_path, first(1, fault))
    assert time.monotonic() - began < 1


def test_a_slow_reply_within_the_timeout_is_an_answer(server: Endpoint, tmp_path: Path) -> None:
    server.drip = 0.4
    assert answer_one(server, tmp_path, always("slow_body")).outcome == "answered"


def test_all_tries_of_a_request_end_with_its_patience(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "50")
    monkeypatch.setenv("FEEDBACK_LENS_TOTAL_TIMEOUT", "1")
    began = time.monotonic()
    with pytest.raises(InputError, match="HTTP 500"):
        answer_one(server, tmp_path, always("broken"))
    # at 0 and after 0.375 to 0.5 s; the next would be 0.75 to 1 s later
    assert len(server.received) == 2
    assert time.monotonic() - began < 1


def test_no_more_answers_wait_to_be_kept_than_are_in_flight_at_once(
    server: Endpoint, tmp_path: Path
) -> None:
    server.latency = 0.01
    for _ in open_assistant("label", "m", tmp_path).stream(iter(ask(40))):
        time.sleep(0.01)  # a slow reader
        assert sum(server.answered.values()) - len(stored(tmp_path)) <= 4
    assert len(stored(tmp_path)) == 40
    assert server.in_flight_peak == 4


def test_a_slow_reader_costs_no_answer(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_TIMEOUT", "0.3")
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "3")
    # one answer comes before the others, which then wait for longer than a request may take
    server.latency, server.jitter = 0.02, 0.1
    for served, _ in enumerate(open_assistant("label", "m", tmp_path).stream(iter(ask(8)))):
        time.sleep(0.5 if served == 0 else 0)
    assert set(server.answered.values()) == {1}


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
        ask_all(tmp_path, 40)
    # request 12 is sent when the ninth answer was kept: 12 - 4 + 1
    assert len(stored(tmp_path)) >= 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FEEDBACK_LENS_CONCURRENCY", "0"),
        ("FEEDBACK_LENS_CONCURRENCY", "many"),
        ("FEEDBACK_LENS_TIMEOUT", "nan"),
        ("FEEDBACK_LENS_RETRIES", "-1"),
        ("FEEDBACK_LENS_TOTAL_TIMEOUT", "soon"),
        ("FEEDBACK_LENS_RPM", "0"),
        ("FEEDBACK_LENS_TPM", "all"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    name: str, value: str, server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=rf"{name}='{value}': set it to a number"):
        ask_all(tmp_path)
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


def test_another_model_that_answers_is_named_once(
    server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan = always("wrong_model")
    requests = [ask_user("gpt-x", str(number), Sampling()) for number in range(3)]
    open_assistant("label", "gpt-x", tmp_path).ask(requests)
    said = capsys.readouterr().err
    assert said.count("label: model 'another-model' answers for 'gpt-x'") == 1
    assert {row["served_model"] for row in stored(tmp_path)} == {"another-model"}


@pytest.mark.parametrize("name", ["m", "m-2026-11-23", "org/M", "models/m-q4.gguf"])
def test_a_snapshot_or_a_file_of_the_model_is_the_model(name: str) -> None:
    assert is_same_model("m", name)
    assert not is_same_model("gpt-5.4-mini", "llama")


def test_two_processes_that_want_the_same_ask_for_it_once(server: Endpoint, tmp_path: Path) -> None:
    server.latency = 0.02
    with start_client(server, tmp_path) as one, start_client(server, tmp_path) as other:
        said = [client.communicate(timeout=60) for client in (one, other)]
    assert [output for output, _ in said] == ["40\n", "40\n"]
    assert set(server.answered.values()) == {1}
    # one of them had to wait
    assert sum("another process asks the same model" in error for _, error in said) <= 1


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
