import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch_client import (
    ask,
    leave_at_server,
    open_sender,
    questions,
    replies,
    sent,
    serve_batches,
    sizes,
    stored,
    texts,
)
from endpoint import Endpoint
from feedback_lens.calls.batches.log import Size
from feedback_lens.calls.request import Delivery, Response
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

# asks as a stage does, and kills itself when it has taken so many answers (0: never)
CLIENT = """
import os, signal, sys
from pathlib import Path
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.batches.log import Size
from feedback_lens.calls.request import Sampling, ask_user
folder, count, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
requests = [ask_user("m", f"question {n}", Sampling(max_tokens=8)) for n in range(count)]
for taken, _ in enumerate(open_assistant("label", "m", folder).stream(requests), start=1):
    if taken == last:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Endpoint]:
    with serve_batches(tmp_path) as server:
        yield server


def start_client(folder: Path, count: int, last: int = 0) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", CLIENT, str(folder), str(count), str(last)]
    return subprocess.Popen(arguments, stderr=subprocess.DEVNULL)


def kill_at(server: Endpoint, place: str, folder: Path, count: int) -> None:
    """Run a client until the server holds its call at a place, and kill it there."""
    server.batches.stall = place
    client = start_client(folder, count)
    try:
        assert server.batches.stalled.wait(30)
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
    server.batches.stall = None


@pytest.mark.parametrize("keeps_metadata", [True, False])
@pytest.mark.parametrize(
    ("place", "batches", "deleted"),
    [
        # the lone upload is deleted; then input and output of the second try
        ("uploaded", 1, 3),
        ("created", 1, 2),
        ("retrieving", 1, 2),
        ("downloading", 1, 2),
    ],
)
def test_a_run_that_is_killed_is_taken_up_and_nothing_is_sent_twice(
    place: str, batches: int, deleted: int, keeps_metadata: bool, server: Endpoint, tmp_path: Path
) -> None:
    server.batches.keeps_metadata = keeps_metadata
    kill_at(server, place, tmp_path, 10)
    assert texts(ask(tmp_path, questions(*range(10)))) == replies(*range(10))
    assert len(server.batches.jobs) == batches
    assert set(server.batches.answered.values()) == {1}
    assert server.batches.files == {}
    assert len(server.batches.deleted) == deleted
    assert list(tmp_path.glob("*.lock")) == []


@pytest.mark.parametrize("last", [1, 500, 700])
def test_a_run_that_is_killed_amid_the_results_goes_on_with_the_rest(
    last: int, server: Endpoint, tmp_path: Path
) -> None:
    assert start_client(tmp_path, 1200, last).wait(30) == -signal.SIGKILL
    # answers are kept by 500s, and whole before the first of them is handed on
    assert len(stored(tmp_path)) == (500 if last <= 500 else 1000)
    assert texts(ask(tmp_path, questions(*range(1200)))) == replies(*range(1200))
    assert sizes(server) == [1200]
    assert server.batches.files == {}
    store = ResponseStore(tmp_path / "store.sqlite")
    # 1200 answers are paid for, and stand in the ledger once
    assert store.spending()[0][3] == 1200
    store.close()


def test_a_run_that_is_killed_between_two_rounds_sends_the_rest_once(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.line_plan = lambda number, body: (
        "broken" if number < 4 and len(server.batches.jobs) == 1 else None
    )
    server.batches.pace = 1
    kill_in_second_round(server, tmp_path)
    assert texts(ask(tmp_path, questions(*range(10)))) == replies(*range(10))
    assert sizes(server) == [10, 4]
    assert set(server.batches.answered.values()) == {1}


def kill_in_second_round(server: Endpoint, folder: Path) -> None:
    client = start_client(folder, 10)
    create = server.batches.create

    def create_and_stall(body: dict[str, str]) -> object:
        job = create(body)
        if len(server.batches.jobs) == 2:
            server.batches.stall = "created"
        return job

    server.batches.create = create_and_stall  # type: ignore[method-assign]
    try:
        assert server.batches.stalled.wait(30)
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
    server.batches.stall = None


@pytest.mark.parametrize("keeps_metadata", [True, False])
@pytest.mark.parametrize("call", ["upload", "create"])
def test_a_call_of_which_the_reply_is_lost_is_looked_up_and_not_made_twice(
    call: str, keeps_metadata: bool, server: Endpoint, tmp_path: Path
) -> None:
    server.batches.keeps_metadata = keeps_metadata
    server.batches.lose[call] = 1
    assert texts(ask(tmp_path, questions(0, 1))) == replies(0, 1)
    assert sizes(server) == [2]
    assert server.batches.files == {}


def test_a_batch_of_which_nobody_knows_is_found_by_the_next_run(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.lose["create"] = 1
    sender = open_sender(tmp_path, most=Size(1, 10_000))
    for request in questions(0, 1):
        sender.start(request)
    # the first file is full, and went out; the reply was lost
    sender.close()
    assert sizes(server) == [1]
    assert texts(ask(tmp_path, questions(0, 1))) == replies(0, 1)
    assert sizes(server) == [1, 1]


def test_a_batch_is_looked_up_on_all_pages_of_the_list(server: Endpoint, tmp_path: Path) -> None:
    server.batches.lose["create"] = 1
    create = server.batches.create

    def bury(body: dict[str, str]) -> object:
        job = create(body)
        for number in range(150):
            other = f"batch_other_{number}"
            server.batches.jobs[other] = type(job)(other, "file-other", "/v1/other", None, [])
        return job

    server.batches.create = bury  # type: ignore[method-assign]
    assert texts(ask(tmp_path, questions(0))) == replies(0)
    assert server.batches.answered.total() == 1


def test_requests_of_two_processes_at_once_are_sent_once(server: Endpoint, tmp_path: Path) -> None:
    server.batches.pace = 3
    found: dict[str, list[str | None]] = {}
    threads = [
        threading.Thread(
            target=lambda name=name, numbers=numbers: found.update(
                {name: texts(ask(tmp_path, questions(*numbers)))}
            )
        )
        for name, numbers in (("a", range(6)), ("b", range(3, 9)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {"a": replies(*range(6)), "b": replies(*range(3, 9))}
    assert sent(server) == sorted(str(number) for number in range(9))
    store = ResponseStore(tmp_path / "store.sqlite")
    [(_, _, _, _, usd, _)] = store.spending()
    store.close()
    # 9 answers at (2 x 1 + 3 x 2) / 2 dollars a million, though 12 were handed on
    assert usd == pytest.approx(9 * 4e-6)


@pytest.mark.parametrize("place", ["uploaded", "created", "retrieving"])
def test_a_process_that_waits_for_another_takes_over_when_that_dies(
    place: str, server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.batches.stall = place
    client = start_client(tmp_path, 3)
    assert server.batches.stalled.wait(30)
    server.batches.stall = None
    found: list[str | None] = []
    waits = threading.Thread(target=lambda: found.extend(texts(ask(tmp_path, questions(0, 1, 2)))))
    waits.start()
    waits.join(0.3)
    assert found == []
    client.kill()
    client.wait()
    waits.join(20)
    assert found == replies(0, 1, 2)
    assert sizes(server) == [3]
    assert "of another process; waiting for its answers" in capsys.readouterr().err


def test_what_was_answered_since_it_was_looked_up_is_not_sent(
    server: Endpoint, tmp_path: Path
) -> None:
    sender = open_sender(tmp_path)
    [request] = questions(0)
    store = ResponseStore(tmp_path / "store.sqlite")
    response = Response("answered", "by another process")
    store.keep([Delivery(request, response, "batch")], "label")
    store.close()
    sender.start(request)
    assert sender.collect() == [Delivery(request, response, "batch", 0.0)]
    assert sender.collect() == []
    sender.close()
    assert sizes(server) == []


def test_answers_that_this_run_does_not_ask_for_are_kept_too(
    server: Endpoint, tmp_path: Path
) -> None:
    leave_at_server(server, tmp_path, questions(0, 1, 2))
    assert texts(ask(tmp_path, questions(1))) == replies(1)
    assert sorted(stored(tmp_path).values()) == replies(0, 1, 2)
    assert texts(ask(tmp_path, questions(0, 1, 2, 3))) == replies(0, 1, 2, 3)
    assert sizes(server) == [3, 1]


def test_requests_that_nobody_asks_for_any_more_are_not_sent_again(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.line_plan = lambda number, body: "broken"
    leave_at_server(server, tmp_path, questions(0, 1, 2))
    with pytest.raises(InputError, match="1 requests got no answer"):
        ask(tmp_path, questions(1))
    assert sizes(server) == [3, 1, 1]


def test_a_batch_that_nobody_asks_for_is_left_alone(server: Endpoint, tmp_path: Path) -> None:
    leave_at_server(server, tmp_path, questions(0))
    looks = server.batches.jobs["batch_0"].looks
    assert texts(ask(tmp_path, questions(1))) == replies(1)
    assert server.batches.jobs["batch_0"].looks == looks
    assert texts(ask(tmp_path, questions(0))) == replies(0)
    assert sizes(server) == [1, 1]


def test_files_that_a_killed_run_was_about_to_delete_are_deleted_by_the_next(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.store("feedback-lens-x.jsonl", "batch", b"private")
    ask(tmp_path, questions(0))
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        database.execute("UPDATE batches SET files = 'file-0 file-77'")
    database.close()
    assert "file-0" in server.batches.files
    ask(tmp_path, questions(1))
    assert server.batches.files == {}


def test_a_batch_that_the_server_does_not_know_is_forgotten_on_demand_alone(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_at_server(server, tmp_path, questions(0))
    job = server.batches.jobs.pop("batch_0")
    server.batches.jobs["batch_of_another_project"] = job
    with pytest.raises(InputError) as error:
        ask(tmp_path, questions(0))
    assert error.value.message == (
        "label: batch batch_0 or its files are not known to the server (HTTP 404: No batch found "
        "with id 'batch_0'.); use the key of the project that sent it, or set "
        "FEEDBACK_LENS_FORGET_BATCH=batch_0 to send its requests again"
    )
    monkeypatch.setenv("FEEDBACK_LENS_FORGET_BATCH", "batch_0")
    assert texts(ask(tmp_path, questions(0))) == replies(0)
    assert sizes(server) == [1, 1]


def test_another_server_is_asked_anew(server: Endpoint, tmp_path: Path) -> None:
    leave_at_server(server, tmp_path, questions(0))
    with serve_batches(tmp_path) as other:
        assert texts(ask(tmp_path, questions(0))) == replies(0)
        assert sizes(other) == [1]


def test_what_another_server_has_is_looked_up_there_alone(server: Endpoint, tmp_path: Path) -> None:
    server.batches.lose["create"] = 1
    sender = open_sender(tmp_path, most=Size(1, 10_000))
    for request in questions(0, 1):
        sender.start(request)
    sender.close()
    with serve_batches(tmp_path):
        assert texts(ask(tmp_path, questions(2))) == replies(2)
    assert texts(ask(tmp_path, questions(0, 1))) == replies(0, 1)
    assert sizes(server) == [1, 1]


def test_the_tables_name_every_batch_with_its_stage_and_server(
    server: Endpoint, tmp_path: Path
) -> None:
    ask(tmp_path, questions(0))
    database = sqlite3.connect(tmp_path / "store.sqlite")
    columns = "endpoint, purpose, model, status, batch_id, files"
    rows = database.execute(f"SELECT {columns} FROM batches").fetchall()
    assert rows == [(f"127.0.0.1:{server.port}", "label", "m", "done", "batch_0", "")]
    assert database.execute("SELECT * FROM batch_requests").fetchall() == []
    database.close()


def test_a_store_that_is_no_database_is_named(tmp_path: Path, server: Endpoint) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(InputError, match=r"store\.sqlite"):
        ask(tmp_path, questions(0))
