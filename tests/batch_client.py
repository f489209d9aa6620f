"""What tests of batches share: a server, and asking it as a stage does."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from endpoint import Endpoint, environment, serve
from feedback_lens.calls.asking import Assistant
from feedback_lens.calls.batch import MOST, BatchSender
from feedback_lens.calls.batches.log import Size
from feedback_lens.calls.budget import Budget
from feedback_lens.calls.catalog import ModelFacts, Price
from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

# dollars a million tokens of prompt, cached prompt, reply
FACTS = ModelFacts("m", Price(1.0, 0.5, 2.0), batch_share=0.5)
MODEL = "m"


def settings(server: Endpoint, folder: Path) -> dict[str, str]:
    """The variables for a client that looks at its batches every 0.02 seconds."""
    return environment(server, folder) | {
        "FEEDBACK_LENS_PROVIDER": "batch",
        "FEEDBACK_LENS_POLL": "0.02",
        "FEEDBACK_LENS_TOTAL_TIMEOUT": "10",
    }


@contextmanager
def serve_batches(folder: Path) -> Iterator[Endpoint]:
    """A server that repeats the question; the environment is set to it."""
    with serve(reply=lambda body: f"re: {body['messages'][0]['content']}") as server:
        before = dict(os.environ)
        os.environ.update(settings(server, folder))
        try:
            yield server
        finally:
            os.environ.clear()
            os.environ.update(before)


def questions(*names: object, model: str = MODEL) -> list[Request]:
    """A request for each name."""
    return [ask_user(model, f"question {name}", Sampling(max_tokens=8)) for name in names]


def name_of(body: dict[str, Any]) -> str:
    """The name in a question."""
    return str(body["messages"][0]["content"]).removeprefix("question ")


def open_sender(
    folder: Path,
    most: Size = MOST,
    least: int = 1,
    cap: float | None = None,
    spent: float = 0.0,
) -> BatchSender:
    """A sender as a stage opens it, with files of other sizes."""
    budget = Budget("label", FACTS, cap, lambda: spent, FACTS.batch_share)
    return BatchSender("label", folder / "store.sqlite", budget, most, least)


def ask(folder: Path, requests: Sequence[Request], **limits: Any) -> list[Response]:
    """The responses, by way of the store in a folder."""
    recorded = folder / "recorded"
    recorded.mkdir(exist_ok=True)
    assistant = Assistant(
        MODEL,
        "label",
        recorded,
        folder / "store.sqlite",
        lambda request: open_sender(folder, **limits),
    )
    return assistant.ask(requests)


def texts(responses: Sequence[Response]) -> list[str | None]:
    return [response.text for response in responses]


def replies(*names: object) -> list[str]:
    """What the server says to the questions of these names."""
    return [f"re: question {name}" for name in names]


def stored(folder: Path) -> dict[str, str]:
    """Texts of the answers in the store, by key."""
    store = ResponseStore(folder / "store.sqlite")
    found = {row["key"]: row["text"] for row in store.rows()}
    store.close()
    return found


def sizes(server: Endpoint) -> list[int]:
    """Requests in each batch that was created, in order."""
    return [len(job.requests) for job in server.batches.jobs.values()]


def sent(server: Endpoint) -> list[str]:
    """Names of the questions in all batches that were accepted, sorted."""
    return sorted(
        name_of(request["body"])
        for job in server.batches.jobs.values()
        if not job.errors
        for request in job.requests
    )


def leave_at_server(server: Endpoint, folder: Path, requests: Sequence[Request]) -> None:
    """Send a batch, and end without its answers, as a run does that loses the server."""
    patience = os.environ["FEEDBACK_LENS_TOTAL_TIMEOUT"]
    os.environ["FEEDBACK_LENS_TOTAL_TIMEOUT"] = "0.05"
    server.batches.lose["retrieve"] = 1_000_000
    sender = open_sender(folder)
    for request in requests:
        sender.start(request)
    with pytest.raises(InputError, match="go on at the server"):
        sender.collect()
    sender.close()
    server.batches.lose["retrieve"] = 0
    os.environ["FEEDBACK_LENS_TOTAL_TIMEOUT"] = patience
