"""Log-probabilities on their way: asked for, served, kept, replayed; or turned down."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from batch_client import ask as ask_in_batches
from batch_client import questions, serve_batches
from endpoint import Endpoint, environment, serve
from faults import always, asked_for
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.calls.snapshot import read_snapshot, write_snapshot
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

# -0.1 a byte; a character beyond ASCII stands with the second of its two tokens
SCORED = (("NEG_1", -0.5), (" ", -0.1), ("", -0.1), ("é", -0.1))
NO_LOGPROBS = "HTTP 400: This model does not support the 'logprobs' parameter."


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    with serve(reply=lambda body: "NEG_1 é") as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


def asking(count: int = 1) -> list[Request]:
    return [ask_user("m", f"{n}", Sampling(logprobs=True)) for n in range(count)]


def ask(folder: Path, requests: list[Request]) -> list[Response]:
    return open_assistant("label", "m", folder).ask(requests)


def test_they_come_with_the_reply_and_again_from_the_store(
    server: Endpoint, tmp_path: Path
) -> None:
    [fresh] = ask(tmp_path, asking())
    assert (fresh.text, fresh.logprobs) == ("NEG_1 é", SCORED)
    assert server.received[0]["logprobs"] is True
    assert ask(tmp_path, asking()) == [fresh]
    assert len(server.received) == 1


def test_they_come_again_from_a_snapshot(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = ask(tmp_path, asking(3))
    store = ResponseStore(tmp_path / "store.sqlite")
    write_snapshot(store.rows(), tmp_path / "recorded")
    store.close()
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "another.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    assert ask(tmp_path / "recorded", asking(3)) == fresh


def test_who_does_not_ask_for_them_gets_none(server: Endpoint, tmp_path: Path) -> None:
    [response] = ask(tmp_path, [ask_user("m", "hi", Sampling(logprobs=False))])
    assert response.logprobs is None
    assert "logprobs" not in server.received[0]
    store = ResponseStore(tmp_path / "store.sqlite")
    assert [row["logprobs"] for row in store.rows()] == [None]
    store.close()


@pytest.mark.parametrize("fault", ["no_logprobs", "refusal", "null_content"])
def test_a_reply_without_them_is_kept_without(fault: str, server: Endpoint, tmp_path: Path) -> None:
    server.plan = always(fault)
    [response] = ask(tmp_path, asking())
    assert response.logprobs is None
    assert ask(tmp_path, asking()) == [response]
    assert len(server.received) == 1


def test_those_of_a_reply_that_was_cut_off_are_those_of_its_text(
    server: Endpoint, tmp_path: Path
) -> None:
    server.plan = always("length")
    [response] = ask(tmp_path, asking())
    assert (response.outcome, response.logprobs) == ("cut_off", SCORED)


def test_a_server_that_does_not_know_them_is_asked_once_and_the_mend_is_named(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_CONCURRENCY", "1")
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "5")
    server.plan = asked_for("logprobs", "unsupported_logprobs")
    with pytest.raises(InputError) as error:
        ask(tmp_path, asking(40))
    assert error.value.message.startswith(
        f"label: 1 requests got no answer ({NO_LOGPROBS}); no more were sent; "
    )
    assert error.value.message.endswith("set label.logprobs: false in params.yaml, then run again")
    assert len(server.received) == 1
    store = ResponseStore(tmp_path / "store.sqlite")
    assert list(store.rows()) == []  # no failure is kept in the place of an answer
    store.close()
    plain = [replace(request, sampling=Sampling()) for request in asking(2)]
    assert [response.text for response in ask(tmp_path, plain)] == 2 * ["NEG_1 é"]


def test_one_request_that_is_turned_down_does_not_stop_the_others(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_CONCURRENCY", "1")
    # its own text may be what the server quotes
    server.plan = lambda arrival, body: "unsupported_logprobs" if arrival == 1 else None
    with pytest.raises(InputError, match=r"1 requests got no answer .*; 4 were answered"):
        ask(tmp_path, asking(5))
    server.plan = always(None)
    assert len(ask(tmp_path, asking(5))) == 5


def test_a_batch_brings_the_same(tmp_path: Path) -> None:
    requests = [replace(r, sampling=Sampling(max_tokens=8, logprobs=True)) for r in questions(0, 1)]
    with serve_batches(tmp_path) as server:
        server.reply = lambda body: "NEG_1 é"
        found = ask_in_batches(tmp_path, requests)
        lines = [body for job in server.batches.jobs.values() for body in job.requests]
    assert [response.logprobs for response in found] == [SCORED, SCORED]
    assert [line["body"]["logprobs"] for line in lines] == [True, True]
    # a request that was written down for the batch was read again as it was
    assert sorted(line["custom_id"] for line in lines) == sorted(r.key for r in requests)


def test_a_batch_whose_lines_are_turned_down_names_the_mend(tmp_path: Path) -> None:
    requests = [replace(r, sampling=Sampling(max_tokens=8, logprobs=True)) for r in questions(0, 1)]
    with serve_batches(tmp_path) as server:
        server.batches.line_plan = lambda number, body: "unsupported_logprobs"
        with pytest.raises(InputError) as error:
            ask_in_batches(tmp_path, requests)
    assert error.value.message == (
        f"label: the server turns requests down ({NO_LOGPROBS}); what was answered is kept: "
        "set label.logprobs: false in params.yaml, then run again"
    )


def test_a_snapshot_is_as_small_as_before_where_no_reply_has_them(
    server: Endpoint, tmp_path: Path
) -> None:
    ask(tmp_path, [ask_user("m", "hi", Sampling())])
    store = ResponseStore(tmp_path / "store.sqlite")
    [row] = store.rows()
    store.close()
    write_snapshot([row], tmp_path / "recorded")
    assert list(read_snapshot(tmp_path / "recorded")) == [row]
    plain = (tmp_path / "recorded" / f"replies-{row['key'][0]}.parquet").read_bytes()
    assert b"logprobs" not in plain
