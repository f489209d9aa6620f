from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoint import Endpoint, environment, serve
from feedback_lens.calls.assistant import Assistant, open_assistant
from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.calls.store import SNAPSHOT, ResponseStore, write_snapshot
from feedback_lens.errors import InputError


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


def ask(text: str) -> Request:
    return ask_user("m", text, Sampling())


def put(path: Path, *texts: str) -> None:
    store = ResponseStore(path)
    for text in texts:
        store.put(ask(text), Response("answered", f"store: {text}"))
    store.close()


def record(folder: Path, *texts: str) -> None:
    rows = [
        dict.fromkeys(SNAPSHOT.names)
        | {"key": ask(text).key, "request": ask(text).canonical}
        | {"outcome": "answered", "text": f"snapshot: {text}"}
        for text in texts
    ]
    write_snapshot(rows, folder)


def sent(server: Endpoint) -> list[str]:
    return sorted(body["messages"][0]["content"] for body in server.received)


def test_the_store_is_read_first_then_the_snapshot_then_the_endpoint_asked(
    server: Endpoint, recorded: Path, tmp_path: Path
) -> None:
    put(tmp_path / "store.sqlite", "a")
    record(recorded, "a", "b")
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


def test_of_two_processes_that_ask_at_once_the_first_answer_counts(
    recorded: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store.sqlite"

    def send_while_another_is_first(
        requests: list[Request],
    ) -> Iterator[tuple[Request, Response]]:
        put(store, "a")
        yield requests[0], Response("answered", "too late")

    assistant = Assistant("m", "label", recorded, send_while_another_is_first, store)
    assert [response.text for response in assistant.ask([ask("a")])] == ["store: a"]


def test_offline_a_miss_names_purpose_model_number_and_mend(
    server: Endpoint, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    record(recorded, "a")
    with pytest.raises(InputError) as error:
        open_assistant("judge", "m", recorded).ask([ask("a"), ask("b"), ask("c"), ask("b")])
    # a is recorded and b stands twice: b and c are missing
    assert error.value.message == (
        "judge: 2 replies of model 'm' are not recorded and FEEDBACK_LENS_OFFLINE=1; "
        "unset it to ask the endpoint"
    )
    assert sent(server) == []


def test_offline_what_is_recorded_answers(
    server: Endpoint, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    monkeypatch.delenv("OPENAI_API_KEY")
    record(recorded, "a")
    [response] = open_assistant("judge", "m", recorded).ask([ask("a")])
    assert response == Response("answered", "snapshot: a")


def test_without_a_key_a_miss_says_what_to_set(
    server: Endpoint, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
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
