"""A server process for the model in one folder, started by the command of FEEDBACK_LENS_SERVER."""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final

import click

from feedback_lens.calls.problem import mask_passwords
from feedback_lens.calls.settings import read_limit
from feedback_lens.errors import InputError
from feedback_lens.prompts import render

VARIABLE: Final = "FEEDBACK_LENS_SERVER"
PATIENCE: Final = "FEEDBACK_LENS_SERVER_TIMEOUT"
# seconds: to load a model (of 7B from a slow disk), between two looks
READY_SECONDS, POLL_SECONDS = 900.0, 0.2
# seconds to end: when asked to, when killed, and when its connections have broken off
GRACE_SECONDS, KILL_SECONDS, BREAK_SECONDS = 20.0, 5.0, 1.0
# of its log, in an error
LAST_LINES, LONGEST_LINE = 12, 300
# servers on loopback need no key, but clients send one
KEY: Final = "local"


class ModelServer:
    """The server of one model: `start` starts it once, `stop` ends it with all its children.

    Args:
        command: what starts it, with the place `{port}` and some of `{folder}`, `{name}`, and
            `{plain_name}` for servers that take no colon in it; no shell reads it.
        folder: the model's folder.
        name: the name under which it has to serve the model.
        purpose: the stage, for messages.
    """

    def __init__(self, command: str, folder: Path, name: str, purpose: str) -> None:
        self._command, self._purpose, self._name = command, purpose, name
        self._port = _find_free_port()
        names = {"name": name, "plain_name": make_plain(name)}
        values = {"folder": str(folder), "port": str(self._port), **names}
        self._words = [render(word, values) for word in _split(command)]
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None
        self._served: str | None = None

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> str:
        """Start it, unless it runs, and wait until it serves the model; returns the name there.

        Raises:
            InputError: it cannot be started, ends, serves another model, or is not ready within
                FEEDBACK_LENS_SERVER_TIMEOUT; the message holds the last lines of its log.
        """
        if self._served is not None:
            return self._served
        seconds = read_limit(PATIENCE) or READY_SECONDS
        self._process = self._open()
        deadline = time.monotonic() + seconds
        while not (names := list_models(self.url, KEY)):
            if self._process.poll() is not None:
                raise InputError(f"{self._purpose}: {self.describe_end()}")
            if time.monotonic() > deadline:
                raise InputError(
                    f"{self._purpose}: the server of {VARIABLE} was not ready within {seconds:g} s "
                    f"({PATIENCE}){self._quote_log()}"
                )
            time.sleep(POLL_SECONDS)
        advice = "give it the name by {name} (vLLM: --served-model-name {name})"
        where = f"{VARIABLE}={self._command!r}"
        self._served = find_served(names, self._name, where, self._purpose, advice)
        return self._served

    def describe_end(self) -> str | None:
        """How it ended by itself, with the last lines of its log; None where it did not."""
        if self._process is None:
            return None
        try:
            code = self._process.wait(BREAK_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return f"the server of {VARIABLE} ended with {how}{self._quote_log()}"

    def stop(self) -> None:
        """End it and all its children, those that do not listen by force."""
        if self._process is not None:
            has_ended = False
            try:
                self._signal(signal.SIGTERM)
                has_ended = self._wait(GRACE_SECONDS)
            finally:
                # reached by a second Ctrl-C, too
                if not has_ended:
                    self._signal(signal.SIGKILL)
                    self._wait(KILL_SECONDS)
        if self._log is not None:
            self._log.unlink(missing_ok=True)

    def _open(self) -> subprocess.Popen[bytes]:
        output, path = tempfile.mkstemp(prefix="feedback-lens-server-", suffix=".log")
        self._log = Path(path)
        click.echo(f"{self._purpose}: starting {shlex.join(self._words)} (log: {path})", err=True)
        # the key of another endpoint is none of its business
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
        try:
            # a session of its own, so that `stop` reaches its children, and Ctrl-C does not
            return subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise InputError(
                f"{self._purpose}: {VARIABLE}={self._command!r} cannot be started "
                f"({self._words[0]}: {error.strerror}); is it installed, and on the PATH?"
            ) from None
        finally:
            os.close(output)

    def _wait(self, seconds: float) -> bool:
        """Wait until no process of the group is left, so long at most; whether none is."""
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._process.poll()  # takes the ended process off the group
            if not self._signal(0):
                return True
            time.sleep(POLL_SECONDS / 4)
        return False

    def _signal(self, number: int) -> bool:
        """Send a signal to the process group; whether there is one."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
            return True
        return False

    def _quote_log(self) -> str:
        if self._log is None:
            return ""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        lines = [mask_passwords(line)[:LONGEST_LINE] for line in text.split("\n") if line.strip()]
        quoted = "".join(f"\n  {line}" for line in lines[-LAST_LINES:])
        return f"; its last words:{quoted}" if quoted else "; it said nothing"


def list_models(url: str, key: str) -> list[str]:
    """The models that the server at a base URL lists; an empty list where none can be had."""
    request = urllib.request.Request(f"{url}/models", headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            content = json.loads(reply.read())
        return [str(entry["id"]) for entry in content["data"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def find_served(names: list[str], name: str, where: str, purpose: str, advice: str) -> str:
    """The one of the `names` that a server lists under which it serves the model wanted.

    Raises:
        InputError: it has other models alone.
    """
    for own in (name, make_plain(name)):
        if own in names:
            return own
    raise InputError(
        f"{purpose}: {where} serves {', '.join(names)}, and not {name!r}, as whose answers those "
        f"of other weights would be kept; {advice}"
    )


def make_plain(name: str) -> str:
    """The name without its colon, in which SGLang sees the beginning of an adapter's name."""
    return name.replace(":", "-")


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(
            f"{VARIABLE}={command!r}: cannot be read ({error}); mend its quotes"
        ) from None
    models = ("{folder}", "{name}", "{plain_name}")
    if "{port}" not in command or not any(place in command for place in models):
        missing = "{folder}, {name} or {plain_name}" if "{port}" in command else "{port}"
        raise InputError(
            f"{VARIABLE}={command!r}: the place {missing} is missing; such as "
            "vllm serve {folder} --served-model-name {name} --port {port}"
        )
    return words


def _find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
