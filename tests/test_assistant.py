from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from dialogues import record
from endpoint import Endpoint, environment, serve
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.models import name_local_model
from feedback_lens.calls.request import Delivery, Request, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError
from tiny_model import build_tiny_model


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    with serve(reply=lambda body: f"endpoint: {body['messages'][0]['content']}") as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    folder = tmp_path / "recorded"
    folder.mkdir()
    return folder


def ask(text: str, temperature: float | None = None) -> Request:
    return ask_user("m", text, Sampling(temperature))


def keep(path: Path, *texts: str) -> None:
    store = ResponseStore(path)
    for text in texts:
        response = Response("answered", f"store: {text}")
        store.keep([Delivery(ask(text), response, "endpoint")], "label")
    store.close()


def record_texts(folder: Path, *texts: str) -> None:
    record(folder, [(ask(text), f"snapshot: {text}") for text in texts])


def sent(server: Endpoint) -> list[str]:
    return sorted(body["messages"][0]["content"] for body in server.received)


def know(folder: Path, monkeypatch: pytest.MonkeyPatch, facts: str) -> None:
    """What the catalog knows of the model m."""
    catalog = folder / "catalog.yaml"
    catalog.write_text(f"models: {{m: {{{facts}}}}}")
    monkeypatch.setenv("FEEDBACK_LENS_CATALOG", str(catalog))


def test_the_store_is_read_first_then_the_snapshot_then_the_endpoint_asked(
    server: Endpoint, recorded: Path, tmp_path: Path
) -> None:
    keep(tmp_path / "store.sqlite", "a")
    record_texts(recorded, "a", "b")
    responses = open_assistant("label", "m", recorded).ask([ask("c"), ask("b"), ask("a")])
    assert [response.text for response in responses] == ["endpoint: c", "snapshot: b", "store: a"]
    assert sent(server) == ["c"]


def test_what_the_endpoint_answered_is_not_asked_again(server: Endpoint, recorded: Path) -> None:
    assistant = open_assistant("label", "m", recorded)
    first = assistant.ask([ask("a"), ask("b")])
    assert open_assistant("judge", "m", recorded).ask([ask("b"), ask("a")]) == first[::-1]
    assert sent(server) == ["a", "b"]


def test_a_request_that_stands_twice_in_a_batch_is_sent_once(
    server: Endpoint, recorded: Path
) -> None:
    responses = open_assistant("label", "m", recorded).ask([ask("a"), ask("b"), ask("a")])
    assert [response.text for response in responses] == [
        "endpoint: a",
        "endpoint: b",
        "endpoint: a",
    ]
    assert sent(server) == ["a", "b"]


def test_an_empty_batch_asks_nothing(server: Endpoint, recorded: Path) -> None:
    assert open_assistant("label", "m", recorded).ask([]) == []
    assert sent(server) == []


def test_an_answer_is_entered_with_stage_model_provider_and_seconds(
    server: Endpoint, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(tmp_path, monkeypatch, "prompt: 1.0, completion: 2.0")
    server.latency = 0.1
    open_assistant("label", "m", recorded).ask([ask("two words")])
    store = ResponseStore(tmp_path / "store.sqlite")
    [(stage, model, provider, count, usd, seconds)] = store.spending()
    store.close()
    assert (stage, model, provider, count) == ("label", "m", "endpoint", 1)
    # 2 words of 1 and "endpoint: two words" of 2 dollars a million
    assert usd == pytest.approx(8e-6)
    assert 0.1 <= seconds < 1


def test_offline_a_miss_names_purpose_model_number_and_mend(
    server: Endpoint,
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    record_texts(recorded, "a")
    with pytest.raises(InputError) as error:
        open_assistant("judge", "m", recorded).ask([ask("a"), ask("b"), ask("c"), ask("b")])
    # a is recorded and b stands twice: b and c are missing
    assert error.value.message == (
        "judge: 2 replies of model 'm' are not recorded and FEEDBACK_LENS_OFFLINE=1; "
        "unset it to ask the endpoint"
    )
    assert sent(server) == []
    assert capsys.readouterr().err == ""


def test_offline_what_is_recorded_answers(
    server: Endpoint, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    monkeypatch.delenv("OPENAI_API_KEY")
    record_texts(recorded, "a")
    [response] = open_assistant("judge", "m", recorded).ask([ask("a")])
    assert (response.outcome, response.text) == ("answered", "snapshot: a")


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_a_miss_says_what_to_set(
    key: str | None, server: Endpoint, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match=r"judge: 1 .*'m'.*no key; set OPENAI_API_KEY.*BASE_URL"):
        open_assistant("judge", "m", recorded).ask([ask("a")])
    assert sent(server) == []


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_source_that_is_no_folder_is_named(kind: str, tmp_path: Path) -> None:
    source = tmp_path / kind
    if kind == "file":
        source.touch()
    with pytest.raises(InputError, match=rf"{kind}: neither .* set run\.assistant in params"):
        open_assistant("label", "m", source)


def test_a_provider_that_does_not_exist_is_named(
    server: Endpoint, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_PROVIDER", "pigeon")
    with pytest.raises(InputError, match="FEEDBACK_LENS_PROVIDER='pigeon': set it to endpoint or"):
        open_assistant("judge", "m", recorded).ask([ask("a")])
    monkeypatch.setenv("FEEDBACK_LENS_PROVIDER", "")
    open_assistant("judge", "m", recorded).ask([ask("a")])
    assert sent(server) == ["a"]


def test_a_shutdown_to_come_is_told_once_when_a_stage_starts(
    server: Endpoint,
    recorded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutdown = date.today() + timedelta(days=30)
    know(tmp_path, monkeypatch, f"shutdown: {shutdown}, substitute: next")
    assistant = open_assistant("label", "m", recorded)
    for text in "ab":
        assistant.ask([ask(text)])
    said = capsys.readouterr().err
    assert f"label: m is shut down on {shutdown} (in 30 days)" in said
    assert "substitute: next" in said
    assert said.count("shut down") == 1
    assert sent(server) == ["a", "b"]


def test_a_retired_model_answers_from_what_is_kept_alone(
    server: Endpoint,
    recorded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    know(tmp_path, monkeypatch, "shutdown: 2020-01-01, substitute: next")
    record_texts(recorded, "a")
    assistant = open_assistant("label", "m", recorded)
    assert [response.text for response in assistant.ask([ask("a")])] == ["snapshot: a"]
    assert "m was shut down on 2020-01-01" in capsys.readouterr().err
    with pytest.raises(
        InputError, match=r"label: 1 replies .*model 'm' was shut down .*label\.model to next"
    ):
        assistant.ask([ask("a"), ask("b")])
    assert sent(server) == []


def test_a_setting_that_the_model_refuses_is_not_sent(
    server: Endpoint, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(tmp_path, monkeypatch, "refuses: [temperature]")
    assistant = open_assistant("label", "m", recorded)
    with pytest.raises(InputError, match=r"label: model 'm' refuses temperature; set label\.temp"):
        assistant.ask([ask("a", temperature=0.0)])
    assert sent(server) == []
    assert len(assistant.ask([ask("a")])) == 1


def test_a_folder_of_a_model_answers_under_the_name_of_its_content(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "0")
    folder = build_tiny_model(tmp_path / "very_tiny")
    assistant = open_assistant("regenerate", "m", folder)
    assert assistant.model == name_local_model(folder)
    [response] = assistant.ask([ask_user(assistant.model, "hi", Sampling(max_tokens=3))])
    assert response.served_model == assistant.model
    assert sent(server) == []
    store = ResponseStore(tmp_path / "store.sqlite")
    assert [row[:5] for row in store.spending()] == [
        ("regenerate", assistant.model, "local", 1, 0.0)
    ]
    store.close()
