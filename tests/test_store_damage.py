import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_lens.calls.request import Delivery, Request, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError


def ask(text: str) -> Request:
    return ask_user("m", text, Sampling())


def keep(store: ResponseStore, *texts: str, reply: str = "yes") -> None:
    response = Response("answered", reply)
    store.keep([Delivery(ask(text), response, "endpoint") for text in texts], "label")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    store = ResponseStore(tmp_path / "store.sqlite")
    yield store
    store.close()


def test_a_sound_store_has_nothing_wrong(store: ResponseStore) -> None:
    for number in range(40):
        keep(store, f"{number} \ud800 👋")
    assert store.verify() == []


def test_a_request_under_a_key_that_is_not_its_own_is_named(store: ResponseStore) -> None:
    keep(store, "a")
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE responses SET request = replace(request, 'a', 'b')")
    database.close()
    assert store.verify() == [f"key {ask('a').key}: the request under it is another one's"]


def test_a_reply_that_is_no_text_any_more_is_named(store: ResponseStore) -> None:
    keep(store, "a")
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE responses SET text = CAST(X'ff' AS TEXT)")
    database.close()
    assert store.verify() == [f"key {ask('a').key}: the reply's text is not UTF-8"]
    with pytest.raises(InputError, match=r"the response store cannot be used \(Could not decode"):
        store.get([ask("a").key])


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[ResponseStore]:
    """A store of 400 replies of which some pages in the middle of the file are lost."""
    store = ResponseStore(tmp_path / "whole.sqlite")
    keep(store, *map(str, range(400)), reply="yes " * 200)
    store.close()
    path = tmp_path / "damaged.sqlite"
    shutil.copy(tmp_path / "whole.sqlite", path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 8 * 4096] = b"\xff" * (8 * 4096)
    path.write_bytes(content)
    store = ResponseStore(path)
    yield store
    store.close()


def test_what_is_wrong_with_a_damaged_file_is_told(damaged: ResponseStore) -> None:
    assert damaged.verify() != []


def test_no_method_fails_on_a_damaged_file_without_naming_it(damaged: ResponseStore) -> None:
    keys = [ask(str(number)).key for number in range(400)]
    for read in (lambda: damaged.get(keys), lambda: list(damaged.rows()), damaged.stats):
        with pytest.raises(InputError, match=r"damaged\.sqlite: the response store cannot be used"):
            read()


def test_a_full_disk_is_named_and_what_was_kept_before_is_safe(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from feedback_lens.calls.request import Delivery, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError
store = ResponseStore(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for number in range(100):
    request = ask_user("m", str(number), Sampling())
    try:
        store.keep([Delivery(request, Response("answered", "x" * 10_000), "endpoint")], "label")
    except InputError as error:
        sys.exit(error.message)
    print(number, flush=True)
"""
    path = tmp_path / "store.sqlite"
    command = [sys.executable, "-c", script, str(path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert "store.sqlite: the response store cannot be used" in run.stderr
    said = [int(line) for line in run.stdout.split()]
    store = ResponseStore(path)
    assert len(store.get([ask(str(number)).key for number in said])) == len(said) > 5
    store.close()
