"""A model folder for which a server answers, through the store, under a name of its content.

The server is one that FEEDBACK_LENS_SERVER starts, else the one at OPENAI_BASE_URL.
"""

import contextlib
import os
import shlex
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType

from feedback_lens.calls.asking import Assistant
from feedback_lens.calls.local import open_local_assistant
from feedback_lens.calls.model_server import KEY, VARIABLE, ModelServer, find_served, list_models
from feedback_lens.calls.models import name_local_model
from feedback_lens.calls.planning import current_plan
from feedback_lens.calls.problem import mask_passwords
from feedback_lens.calls.request import Delivery, Request
from feedback_lens.calls.sender import Sender
from feedback_lens.calls.settings import is_offline
from feedback_lens.calls.store import default_store_path
from feedback_lens.errors import InputError

ENGINES = ("local", "endpoint")


@contextlib.contextmanager
def open_model(purpose: str, folder: Path, engine: str) -> Iterator[Assistant]:
    """The model in a folder, for the block: in process (`local`) or at a server (`endpoint`).

    Both answer under the same name, that of the model's content: what one engine was asked, the
    store has for the other. A server is started where a reply is missing, once, and ended with its
    children when the block is left, on Ctrl-C, SIGTERM and SIGHUP, too.

    Raises:
        InputError: the folder holds no model (for a server: or an adapter alone), or the server
            does not serve it; the message says what to set.
    """
    if engine == "local":
        yield open_local_assistant(purpose, folder)
        return
    if (folder / "adapter_config.json").is_file():
        mend = f"{purpose}.engine: local, or train.keep: float32 or bfloat16"
        raise InputError(f"{folder}: holds an adapter alone: {mend}")
    name, plan = name_local_model(folder), current_plan()
    with _open_server(purpose, folder, name) as server:
        yield Assistant(
            name,
            purpose,
            folder,
            default_store_path(),
            lambda request: ServedSender(server, folder, name, purpose),
            plan.demand(purpose, name) if plan else None,
        )


class ServedSender:
    """Asks the server of a model, which is started with the first request."""

    takes_turns = True

    def __init__(self, server: ModelServer | None, folder: Path, name: str, purpose: str) -> None:
        self._server, self._folder, self._name = server, folder, name
        self._purpose, self._served = purpose, name
        self._sender: Sender | None = None

    def has_room(self) -> bool:
        """Whether one more request may be started."""
        return self._sender is None or self._sender.has_room()

    def start(self, request: Request) -> None:
        """Send a request.

        Raises:
            InputError: there is no server, or it has another model.
        """
        if self._sender is None:
            self._sender = self._open()
        self._sender.start(replace(request, model=self._served))

    def collect(self) -> list[Delivery]:
        """Wait for answers; an empty list when nothing is under way any more."""
        return self._rename(self._sender.collect()) if self._sender else []

    def finish(self) -> None:
        """Tell of losses.

        Raises:
            InputError: requests got no answer.
        """
        if self._sender:
            self._sender.finish()

    def close(self) -> list[Delivery]:
        """Abandon what is under way; returns what had arrived."""
        return self._rename(self._sender.close()) if self._sender else []

    def _rename(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Under the name of the content, by which answers are kept."""
        return [replace(d, request=replace(d.request, model=self._name)) for d in deliveries]

    def _open(self) -> Sender:
        if is_offline():
            raise InputError(
                f"{self._purpose}: answers of {self._name!r} are not kept, and "
                "FEEDBACK_LENS_OFFLINE=1; unset it to ask the server"
            )
        key = os.environ.get("OPENAI_API_KEY", "").strip() or KEY
        if self._server is None:
            self._served = self._find_served(key)
            with _environment({"OPENAI_API_KEY": key}):
                return _open_endpoint(self._purpose, self._name)
        # as long as the client is made: the key is the user's again after that
        with _environment(_address(self._server.url)):
            self._served = self._server.start()
            return _open_endpoint(self._purpose, self._name)

    def _find_served(self, key: str) -> str:
        words = ["vllm", "serve", str(self._folder), "--served-model-name", self._name]
        command = f"{shlex.join(words)} --generation-config vllm --port 8000"
        advice = f"serve it by `{command}` and set OPENAI_BASE_URL=http://localhost:8000/v1"
        url = os.environ.get("OPENAI_BASE_URL", "").strip().rstrip("/")
        if not url:
            raise InputError(
                f"{self._purpose}: the engine is `endpoint`, and neither {VARIABLE} nor "
                f"OPENAI_BASE_URL is set; {advice}"
            )
        where = f"OPENAI_BASE_URL={mask_passwords(url)}"
        names = list_models(url, key)
        if not names:
            raise InputError(f"{self._purpose}: {where} lists no model; {advice}")
        return find_served(names, self._name, where, self._purpose, advice)


def _open_endpoint(purpose: str, name: str) -> Sender:
    from feedback_lens.calls.budget import Budget
    from feedback_lens.calls.catalog import ModelFacts, Price
    from feedback_lens.calls.endpoint import EndpointSender

    # weights of one's own have no price a token
    facts = ModelFacts(name, Price(0.0, 0.0, 0.0))
    return EndpointSender(purpose, Budget(purpose, facts, None, lambda: 0.0))


def _address(url: str) -> dict[str, str]:
    """The variables for a client of a server on loopback, past any proxy."""
    past = ",".join(filter(None, ["127.0.0.1", os.environ.get("NO_PROXY", "")]))
    proxies = {"NO_PROXY": past, "no_proxy": past}
    return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY, **proxies}


@contextlib.contextmanager
def _open_server(purpose: str, folder: Path, name: str) -> Iterator[ModelServer | None]:
    command = os.environ.get(VARIABLE, "").strip()
    if not command:
        yield None
        return
    server = ModelServer(command, folder, name, purpose)
    with _stopping_on_signals():
        try:
            yield server
        except InputError as error:
            end = server.describe_end()
            if end is None or VARIABLE in error.message:
                raise
            raise InputError(f"{error.message}; {end}") from None
        finally:
            server.stop()


@contextlib.contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP, where they would end the process at once, leave the block first."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    deadly = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in deadly:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
