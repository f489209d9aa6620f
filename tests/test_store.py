import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dialogues import record
from feedback_lens.calls.request import Delivery, Provider, Request, Response, Sampling, ask_user
from feedback_lens.calls.snapshot import Damage, write_snapshot
from feedback_lens.calls.store import ResponseStore, default_store_path
from feedback_lens.errors import InputError

# keeps replies "<writer> 0", "<writer> 1", ... and says so after each
WRITER = """
import sys
from pathlib import Path
from feedback_lens.calls.request import Delivery, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
path, writer, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
store = ResponseStore(path)
for number in range(count):
    request, response = ask_user("m", str(number), Sampling()), Response("answered", f"{writer} {number}")
    kept = store.keep([Delivery(request, response, "endpoint", 0.5)], writer)
    assert kept[request.key].text.endswith(f" {number}")
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


def delivery(
    text: str,
    response: Response,
    model: str = "m",
    provider: Provider = "endpoint",
    usd: float | None = None,
    seconds: float | None = None,
) -> Delivery:
    return Delivery(ask(text, model), response, provider, usd, seconds)


def keep(store: ResponseStore, text: str, response: Response, model: str = "m") -> None:
    store.keep([delivery(text, response, model)], "label")


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


def test_a_response_comes_back_as_it_was_kept(store: ResponseStore) -> None:
    responses = {
        ask("plain").key: answer("An answer."),
        ask("hostile").key: answer(
            "NUL \x00, line\u2028separator, 👋, '; DROP TABLE responses; --"
        ),
        ask("none").key: Response("failed", None),
    }
    deliveries = [delivery(name, responses[ask(name).key]) for name in ("plain", "hostile", "none")]
    assert store.keep(deliveries, "label") == responses
    assert store.get([*responses, ask("never asked").key]) == responses


def test_more_keys_than_a_query_takes_are_found(store: ResponseStore) -> None:
    requests = [ask(str(number)) for number in range(1901)]
    folder = record(store.path.parent / "recorded", [(request, "yes") for request in requests])
    assert store.unpack(folder) == 1901
    assert len(store.get([request.key for request in requests])) == 1901


def test_the_first_answer_to_a_request_stays_and_is_the_one_returned(store: ResponseStore) -> None:
    keep(store, "hi", answer("first"))
    kept = store.keep([delivery("hi", answer("second")), delivery("ho", answer("new"))], "label")
    assert kept == {ask("hi").key: answer("first"), ask("ho").key: answer("new")}
    assert store.get([ask("hi").key]) == {ask("hi").key: answer("first")}


def test_what_was_kept_can_be_seen_by_others_when_it_is_returned(store: ResponseStore) -> None:
    keep(store, "hi", answer("yes"))
    other = ResponseStore(store.path)
    assert other.get([ask("hi").key]) == {ask("hi").key: answer("yes")}
    other.close()


def test_the_ledger_holds_what_every_answer_took(store: ResponseStore) -> None:
    deliveries = [
        delivery("a", answer("1"), usd=0.25, seconds=1.0),
        delivery("b", answer("2"), usd=0.5, seconds=2.0),
        delivery("c", answer("3"), provider="batch", usd=0.125),
        delivery("d", answer("4"), model="unpriced", seconds=0.5),
    ]
    store.keep(deliveries, "label")
    store.keep([delivery("e", answer("5"), usd=1.0, seconds=4.0)], "judge")
    # 0.25 + 0.5 dollars; (1 + 2) / 2 seconds
    assert store.spending() == [
        ("judge", "m", "endpoint", 1, 1.0, 4.0),
        ("label", "m", "batch", 1, 0.125, None),
        ("label", "m", "endpoint", 2, 0.75, 1.5),
        ("label", "unpriced", "endpoint", 1, None, 0.5),
    ]
    # 0.25 + 0.5 + 0.125, the unpriced one adds 0
    spent = [store.spent(stage) for stage in ("label", "judge", "never ran")]
    assert spent == [0.875, 1.0, 0.0]


def test_an_answer_that_came_second_was_paid_for_too(store: ResponseStore) -> None:
    for text in ("first", "second"):
        store.keep([delivery("hi", answer(text), usd=0.5)], "label")
    assert store.spent("label") == 1.0


def test_what_a_snapshot_gives_costs_nothing(store: ResponseStore, tmp_path: Path) -> None:
    store.unpack(record(tmp_path / "recorded", [(ask("a"), "yes")]))
    assert store.spending() == []


def test_what_was_kept_outlives_a_kill_at_any_time(tmp_path: Path) -> None:
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


def test_pack_and_unpack_carry_everything_over(store: ResponseStore, tmp_path: Path) -> None:
    for number in range(40):
        keep(store, str(number), answer(f"reply {number} 👋"))
    write_snapshot(store.rows(), tmp_path / "recorded")
    other = ResponseStore(tmp_path / "other.sqlite")
    keep(other, "3", answer("already here"))
    assert other.unpack(tmp_path / "recorded") == 39  # 40, one of which it has
    assert other.unpack(tmp_path / "recorded") == 0
    assert other.get([ask("3").key])[ask("3").key].text == "already here"
    unchanged = [row for row in store.rows() if row["key"] != ask("3").key]
    assert [row for row in other.rows() if row["key"] != ask("3").key] == unchanged
    other.close()


def test_unpack_takes_only_the_keys_it_is_asked_for(store: ResponseStore, tmp_path: Path) -> None:
    record(tmp_path / "recorded", [(ask(text), "yes") for text in "abc"])
    assert store.unpack(tmp_path / "recorded", frozenset({ask("b").key})) == 1
    assert [row["key"] for row in store.rows()] == [ask("b").key]


def test_a_damaged_shard_is_reported_and_the_others_are_taken(
    store: ResponseStore, tmp_path: Path
) -> None:
    requests = [ask(str(number)) for number in range(60)]
    folder = record(tmp_path / "recorded", [(request, "yes") for request in requests])
    shard = folder / "replies-7.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    whole = {request.key for request in requests if request.key[0] != "7"}
    with pytest.raises(InputError, match=r"replies-7\.parquet: cannot be read"):
        store.unpack(folder)
    assert list(store.rows()) == []
    found: list[Damage] = []
    store.unpack(folder, on_damage=found.append)
    assert {row["key"] for row in store.rows()} == whole
    assert [damage.shard for damage in found] == [shard]


def test_rows_can_be_those_of_one_model_and_of_a_prefix(store: ResponseStore) -> None:
    keep(store, "hi", answer("one"), "m")
    keep(store, "hi", answer("two"), "other")
    assert [row["text"] for row in store.rows("other")] == ["two"]
    keys = sorted(ask("hi", model).key for model in ("m", "other"))
    assert [row["key"] for row in store.rows()] == keys
    for digit in "0123456789abcdef":
        found = [row["key"] for row in store.rows(prefix=digit)]
        assert found == [key for key in keys if key.startswith(digit)]
    assert [row["key"] for row in store.rows(prefix=keys[0])] == keys[:1]
    assert list(store.rows("m", prefix=ask("hi", "other").key[:8])) == []


def test_stats_count_by_model_and_outcome(store: ResponseStore) -> None:
    keep(store, "a", answer("yes"))
    keep(store, "b", answer("yes"))
    keep(store, "c", replace(answer("no"), outcome="refused"))
    keep(store, "\ud800 \x00", Response("failed", None), "other")
    # two replies of 2 + 3 tokens each; a reply without counts adds 0
    assert store.stats() == [
        ("m", "answered", 2, 4, 6),
        ("m", "refused", 1, 2, 3),
        ("other", "failed", 1, None, None),
    ]
