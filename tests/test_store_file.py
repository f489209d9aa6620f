"""Files of the response store that an earlier version made."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feedback_lens.calls.request import Delivery, Response, Sampling, ask_user
from feedback_lens.calls.snapshot import SNAPSHOT
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

# the columns before log-probabilities, in their order
OLD = (
    "key",
    "request",
    "outcome",
    "text",
    "served_model",
    "prompt_tokens",
    "completion_tokens",
    "answered_at",
)
OPENER = """
import sys
from pathlib import Path
from feedback_lens.calls.store import ResponseStore
print("ready", flush=True)
sys.stdin.readline()
store = ResponseStore(Path(sys.argv[1]))
print(sum(1 for row in store.rows()), flush=True)
"""


def make_old_store(path: Path, count: int) -> list[Response]:
    """A store as it was before log-probabilities, with some replies and a ledger."""
    responses = [Response("answered", f"reply {n}", "m-1", n, 3, None) for n in range(count)]
    database = sqlite3.connect(path)
    columns = ", ".join(OLD).replace("key,", "key TEXT PRIMARY KEY,", 1)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"CREATE TABLE responses ({columns})")
    database.execute("CREATE TABLE ledger (key, stage, model, provider, usd, seconds, answered_at)")
    for number, response in enumerate(responses):
        request = ask_user("m", str(number), Sampling())
        values = [request.key, request.canonical, *list(vars(response).values())[:6]]
        database.execute("INSERT INTO responses VALUES (?,?,?,?,?,?,?,?)", values)
    database.commit()
    database.close()
    return responses


def columns_of(path: Path) -> list[str]:
    database = sqlite3.connect(path)
    names = [row[1] for row in database.execute("PRAGMA table_info(responses)")]
    database.close()
    return names


def test_an_older_store_gets_the_column_and_keeps_its_replies(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    old = make_old_store(path, 30)
    assert columns_of(path) == list(OLD)
    store = ResponseStore(path)
    keys = [ask_user("m", str(number), Sampling()).key for number in range(30)]
    found = store.get(keys)
    assert [found[key] for key in keys] == old
    asking = ask_user("m", "new", Sampling(logprobs=True))
    new = Response("answered", "yes", logprobs=(("yes", -0.5),))
    store.keep([Delivery(asking, new, "endpoint")], "label")
    assert store.get([asking.key]) == {asking.key: new}
    assert [row["logprobs"] for row in store.rows() if row["text"] == "yes"] == ['[["yes",-0.5]]']
    assert store.verify() == []
    store.close()
    assert columns_of(path) == SNAPSHOT.names
    again = ResponseStore(path)
    assert len(list(again.rows())) == 31
    again.close()


def test_a_new_store_has_the_same_columns_as_one_that_was_brought_up_to_date(
    tmp_path: Path,
) -> None:
    make_old_store(tmp_path / "old.sqlite", 1)
    for name in ("old.sqlite", "new.sqlite"):
        ResponseStore(tmp_path / name).close()
    assert columns_of(tmp_path / "old.sqlite") == columns_of(tmp_path / "new.sqlite")


def start(path: Path) -> subprocess.Popen[str]:
    opener = subprocess.Popen(
        [sys.executable, "-c", OPENER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert opener.stdout
    assert opener.stdout.readline() == "ready\n"
    return opener


def test_processes_that_open_an_older_store_at_once_all_can(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    make_old_store(path, 20)
    openers = [start(path) for _ in range(4)]
    for opener in openers:
        assert opener.stdin
        opener.stdin.write("\n")
        opener.stdin.flush()
    assert [opener.communicate(timeout=60)[0] for opener in openers] == 4 * ["20\n"]
    assert columns_of(path) == SNAPSHOT.names


def test_who_waits_while_another_adds_the_column_finds_it_there(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    make_old_store(path, 5)
    first = sqlite3.connect(path, isolation_level=None)
    first.execute("BEGIN IMMEDIATE")
    first.execute("ALTER TABLE responses ADD COLUMN logprobs")
    second = start(path)
    assert second.stdin
    second.stdin.write("\n")
    second.stdin.flush()
    time.sleep(1.0)  # by now it has looked, seen no column, and waits for the lock
    assert second.poll() is None
    first.execute("COMMIT")
    first.close()
    assert second.communicate(timeout=60)[0] == "5\n"
    assert columns_of(path) == SNAPSHOT.names


def test_a_kill_in_the_middle_leaves_a_store_that_opens(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    make_old_store(path, 20)
    # killed with the column added and not committed
    code = (
        "import os, signal, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "database.execute('ALTER TABLE responses ADD COLUMN logprobs')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert columns_of(path) == list(OLD)
    # killed at some moment while it is opened
    moments = random.Random(0)
    for _ in range(6):
        opener = start(path)
        assert opener.stdin
        opener.stdin.write("\n")
        opener.stdin.flush()
        time.sleep(moments.uniform(0, 0.02))
        os.kill(opener.pid, signal.SIGKILL)
        opener.communicate()
    store = ResponseStore(path)
    assert len(list(store.rows())) == 20
    assert store.verify() == []
    store.close()


def test_a_table_of_another_kind_gets_no_column(tmp_path: Path) -> None:
    path = tmp_path / "survey.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE responses (person, answer)")
    database.close()
    with pytest.raises(InputError, match="not a response store"):
        ResponseStore(path)
    assert columns_of(path) == ["person", "answer"]


def test_verify_names_a_row_whose_log_probabilities_are_not_those_of_its_text(
    tmp_path: Path,
) -> None:
    store = ResponseStore(tmp_path / "store.sqlite")
    request = ask_user("m", "hi", Sampling(logprobs=True))
    response = Response("answered", "yes", logprobs=(("yes", -0.5),))
    store.keep([Delivery(request, response, "endpoint")], "label")
    assert store.verify() == []
    for wrong in ('[["no",-0.5]]', "no JSON", b"\xff", 5):
        with sqlite3.connect(store.path) as database:
            database.execute("UPDATE responses SET logprobs = ?", [wrong])
        database.close()
        [line] = store.verify()
        assert line == f"key {request.key}: its log-probabilities are not those of its text"
        # a stage goes on with the reply, which is whole
        assert store.get([request.key])[request.key].logprobs is None
        assert store.get([request.key])[request.key].text == "yes"
    store.close()
