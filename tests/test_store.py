import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.calls.store import (
    SNAPSHOT,
    ResponseStore,
    default_store_path,
    read_snapshot,
    write_snapshot,
)
from feedback_lens.errors import InputError

# puts replies "<writer> 0", "<writer> 1", ... and says so after each
WRITER = """
import sys
from pathlib import Path
from feedback_lens.calls.request import Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
path, writer, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
store = ResponseStore(path)
for number in range(count):
    store.put(ask_user("m", str(number), Sampling()), Response("answered", f"{writer} {number}"))
    print(number, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    store = ResponseStore(tmp_path / "store.sqlite")
    yield store
    store.close()


def ask(text: str, model: str = "m") -> Request:
    return ask_user(model, text, Sampling())


def answer(text: str) -> Response:
    return Response("answered", text, "m-1", 2, 3, "2026-11-23T00:00:00+00:00")


def start_writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdin
    assert writer.stdout
    return writer


def release(*writers: subprocess.Popen[str]) -> None:
    """Let writers begin at once, when all are up."""
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()


def test_a_response_comes_back_as_it_was_put(store: ResponseStore) -> None:
    responses = {
        ask("plain").key: answer("An answer."),
        ask("hostile").key: answer(
            "NUL \x00, line\u2028separator, 👋, '; DROP TABLE responses; --"
        ),
        ask("none").key: Response("failed", None),
    }
    for name in ("plain", "hostile", "none"):
        store.put(ask(name), responses[ask(name).key])
    assert store.get([*responses, ask("never asked").key]) == responses


def test_more_keys_than_a_query_takes_are_found(store: ResponseStore) -> None:
    requests = [ask(str(number)) for number in range(1201)]
    write_snapshot([_row(request, "yes") for request in requests], store.path.parent / "recorded")
    assert store.unpack(store.path.parent / "recorded") == 1201
    assert len(store.get([request.key for request in requests])) == 1201


def test_the_first_answer_to_a_request_stays(store: ResponseStore) -> None:
    store.put(ask("hi"), answer("first"))
    store.put(ask("hi"), answer("second"))
    assert store.get([ask("hi").key]) == {ask("hi").key: answer("first")}


def test_what_was_put_outlives_a_kill_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with start_writer(path, "a", 100_000) as writer:
        release(writer)
        said = [int(writer.stdout.readline()) for _ in range(25)]
        os.kill(writer.pid, signal.SIGKILL)
        said += [int(line) for line in writer.stdout.readlines() if line.endswith("\n")]
    store = ResponseStore(path)
    found = store.get([ask(str(number)).key for number in said])
    store.close()
    assert writer.returncode == -signal.SIGKILL
    assert [found[ask(str(number)).key].text for number in said] == [f"a {n}" for n in said]


def test_processes_that_start_and_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    writers = [start_writer(path, name, 40) for name in "abc"]
    release(*writers)
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    store = ResponseStore(path)
    found = store.get([ask(str(number)).key for number in range(40)])
    store.close()
    for number in range(40):
        name, _, rest = str(found[ask(str(number)).key].text).partition(" ")
        assert name in {"a", "b", "c"}
        assert rest == str(number)


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, longer than the header of a database " * 30)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"notes\.txt: not a response store.*FEEDBACK_LENS_STORE"):
        ResponseStore(path)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "survey.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE responses (person, answer)")
    database.close()
    with pytest.raises(InputError, match=r"survey\.sqlite: not a response store \(no such column"):
        ResponseStore(path)


def test_a_path_under_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/store\.sqlite: not a response store"):
        ResponseStore(tmp_path / "file" / "store.sqlite")


def test_the_default_place_is_shared_by_the_workspaces_of_a_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FEEDBACK_LENS_STORE", raising=False)
    monkeypatch.setenv("DVC_ROOT", "/checkout")
    assert default_store_path() == Path("/checkout/.feedback-lens/store.sqlite")
    monkeypatch.setenv("FEEDBACK_LENS_STORE", "/elsewhere.sqlite")
    assert default_store_path() == Path("/elsewhere.sqlite")


def test_a_snapshot_is_sharded_by_the_first_hex_digit_of_the_key(tmp_path: Path) -> None:
    requests = [ask(str(number)) for number in range(60)]
    assert write_snapshot([_row(request, "yes") for request in requests], tmp_path) == 60
    assert {path.name for path in tmp_path.iterdir()} == {
        f"replies-{request.key[0]}.parquet" for request in requests
    }
    for shard in tmp_path.iterdir():
        keys = pq.read_table(shard)["key"].to_pylist()
        assert keys == sorted(keys)
        assert {key[0] for key in keys} == {shard.stem[-1]}


def test_the_bytes_of_a_snapshot_do_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    rows = [_row(ask(str(number)), "yes") for number in range(60)]
    write_snapshot(rows, tmp_path / "one")
    write_snapshot(reversed(rows), tmp_path / "other")
    assert _hashes(tmp_path / "one") == _hashes(tmp_path / "other")


def test_a_snapshot_takes_the_place_of_the_one_that_is_there(tmp_path: Path) -> None:
    write_snapshot([_row(ask(str(number)), "yes") for number in range(60)], tmp_path)
    write_snapshot([_row(ask("new"), "yes")], tmp_path)
    assert [row["key"] for row in read_snapshot(tmp_path)] == [ask("new").key]


def test_a_damaged_shard_is_named_in_the_error(tmp_path: Path) -> None:
    write_snapshot([_row(ask(str(number)), "yes") for number in range(60)], tmp_path)
    shard = tmp_path / "replies-7.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"replies-7\.parquet: damaged snapshot shard.*checkout"):
        list(read_snapshot(tmp_path))


def test_pack_and_unpack_carry_everything_over(store: ResponseStore, tmp_path: Path) -> None:
    for number in range(40):
        store.put(ask(str(number)), answer(f"reply {number} 👋"))
    write_snapshot(store.rows(), tmp_path / "recorded")
    other = ResponseStore(tmp_path / "other.sqlite")
    other.put(ask("3"), answer("already here"))
    assert other.unpack(tmp_path / "recorded") == 39  # 40, one of which it has
    assert other.unpack(tmp_path / "recorded") == 0
    assert other.get([ask("3").key])[ask("3").key].text == "already here"
    unchanged = [row for row in store.rows() if row["key"] != ask("3").key]
    assert [row for row in other.rows() if row["key"] != ask("3").key] == unchanged
    other.close()


def test_unpack_takes_only_the_keys_it_is_asked_for(store: ResponseStore, tmp_path: Path) -> None:
    write_snapshot([_row(ask(text), "yes") for text in "abc"], tmp_path / "recorded")
    assert store.unpack(tmp_path / "recorded", frozenset({ask("b").key})) == 1
    assert [row["key"] for row in store.rows()] == [ask("b").key]


def test_rows_can_be_those_of_one_model(store: ResponseStore) -> None:
    store.put(ask("hi", "m"), answer("one"))
    store.put(ask("hi", "other"), answer("two"))
    assert [row["text"] for row in store.rows("other")] == ["two"]
    assert [row["key"] for row in store.rows()] == sorted(ask("hi", m).key for m in ("m", "other"))


def test_stats_count_by_model_and_outcome(store: ResponseStore) -> None:
    store.put(ask("a"), answer("yes"))
    store.put(ask("b"), answer("yes"))
    store.put(ask("c"), replace(answer("no"), outcome="refused"))
    store.put(ask("\ud800 \x00", "other"), Response("failed", None))
    # two replies of 2 + 3 tokens each; a reply without counts adds 0
    assert store.stats() == [
        ("m", "answered", 2, 4, 6),
        ("m", "refused", 1, 2, 3),
        ("other", "failed", 1, 0, 0),
    ]


def _row(request: Request, text: str) -> dict[str, object]:
    values = (request.key, request.canonical, *answer(text).__dict__.values())
    return dict(zip(SNAPSHOT.names, values, strict=True))


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
