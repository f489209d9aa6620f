"""A key never appears in the store, in messages or in exceptions, whatever a server does with it."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from canned import Canned, completion, serve_canned
from endpoint import KEY, environment, serve
from faults import always
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.problem import scrub
from feedback_lens.calls.request import Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

# asks as a stage does
CLIENT = """
import sys
from pathlib import Path
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Sampling, ask_user
requests = [ask_user("m", f"question {number}", Sampling()) for number in range(40)]
open_assistant("label", "m", Path(sys.argv[1])).ask(requests)
"""
ECHO = f"You sent Bearer {KEY}."


def ask_one(folder: Path) -> Response:
    [response] = open_assistant("label", "m", folder).ask([ask_user("m", "hi", Sampling())])
    return response


def outcomes(folder: Path) -> list[str]:
    store = ResponseStore(folder / "store.sqlite")
    found = [row["outcome"] for row in store.rows()]
    store.close()
    return found


def assert_no_file_holds_the_key(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert KEY.encode() not in file.read_bytes()


def test_the_key_shows_nowhere_in_a_run_of_its_own(tmp_path: Path) -> None:
    # the server repeats the key in both: one is kept as a response, the other ends the run
    with serve(plan=lambda n, body: "content_filter" if n < 2 else "wrong_key") as server:
        run = subprocess.run(
            [sys.executable, "-c", CLIENT, str(tmp_path)],
            env=os.environ | environment(server, tmp_path),
            capture_output=True,
            text=True,
        )
    assert run.returncode == 1
    assert "Bearer [key]" in run.stderr
    assert KEY not in run.stdout + run.stderr
    assert outcomes(tmp_path) == ["filtered", "filtered"]
    assert_no_file_holds_the_key(tmp_path)


@pytest.mark.parametrize(
    "reply",
    [
        Canned({"error": {"message": ECHO}}, 500),
        Canned({"error": {"message": ECHO, "code": ECHO}}, 401),
        Canned({"detail": ECHO}, 400),
        Canned(ECHO.encode(), 502, {"Content-Type": "text/html"}),
        Canned({"error": ECHO}, 429, {"Retry-After": ECHO, "x-request-id": ECHO}),
        Canned({"error": "x" * 480 + KEY}, 500),
        Canned({"error": "No."}, 503, {"x-ratelimit-limit-requests": ECHO}),
        Canned({"error": {"message": ECHO}}, 200),
        Canned(b"", 302, {"Location": f"http://127.0.0.1:1/{KEY}"}),
        Canned(b"", 302, {"Location": f"nonsense://{KEY}"}),
        Canned(b"{}", 200, {"Content-Encoding": "gzip", "x-key": ECHO}),
        Canned(b"{}", 200, {KEY: "a\x01b"}),
    ],
)
def test_a_key_that_comes_back_in_an_error_shows_nowhere(
    reply: Canned,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serve_canned(reply) as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FEEDBACK_LENS_TOTAL_TIMEOUT", "0.3")
        with pytest.raises(InputError) as error:
            ask_one(tmp_path)
    told = "".join((*traceback.format_exception(error.value), *capfd.readouterr()))
    # not even a part of it
    assert KEY[:8] not in told
    assert_no_file_holds_the_key(tmp_path)


@pytest.mark.parametrize("content", [completion(ECHO), completion(model=KEY)])
def test_a_key_that_comes_back_in_a_reply_is_not_kept(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a second connection keeps the write-ahead log from being taken in and deleted
    other = ResponseStore(tmp_path / "store.sqlite")
    with serve_canned(Canned(content)) as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        response = ask_one(tmp_path)
    assert response.outcome == "answered"
    assert KEY not in str(response)
    assert (tmp_path / "store.sqlite-wal").stat().st_size > 0
    assert_no_file_holds_the_key(tmp_path)
    other.close()


@pytest.mark.parametrize("key", ["x", "none", "ollama", "sk-no-key"])
def test_a_word_in_place_of_a_key_is_no_secret_in_a_reply(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # servers of one's own take any key
    with serve_canned(Canned(completion(f"An ox has {key}."))) as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OPENAI_API_KEY", key)
        assert ask_one(tmp_path).text == f"An ox has {key}."


@pytest.mark.parametrize("flaw", ["\n", "\r", "\x07"])
def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_show_it(
    flaw: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}{flaw}{KEY}")
        with pytest.raises(InputError, match=r"label: .*OPENAI_API_KEY") as error:
            ask_one(tmp_path)
    assert KEY not in "".join(traceback.format_exception(error.value))
    assert server.received == []


@pytest.mark.parametrize("slip", [" ", "\n", "\r\n"])
@pytest.mark.parametrize("fault", ["content_filter", "wrong_key"])
def test_blanks_around_a_key_do_not_bring_it_to_light(
    slip: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(plan=always(fault)) as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}{slip}")
        try:
            said = str(ask_one(tmp_path))
        except InputError as error:
            said = error.message
    assert "Bearer [key]" in said and KEY not in said


def test_a_key_that_is_escaped_in_a_reply_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in KEY)
    content = json.dumps(completion("It is KEY.")).replace("KEY", escaped)
    with serve_canned(Canned(content.encode())) as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        assert ask_one(tmp_path).text == "It is [key]."


def test_the_password_of_a_proxy_is_not_shown() -> None:
    assert "secret" not in scrub("ClientError: 407, url='http://bob:secret@127.0.0.1:1'", KEY)
