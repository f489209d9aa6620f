"""Opens the model that answers a stage's prompts: the one place that chooses who answers."""

import os
from datetime import date
from pathlib import Path

import click

from feedback_lens.calls.asking import Assistant
from feedback_lens.calls.budget import Budget, read_cap
from feedback_lens.calls.catalog import (
    ModelFacts,
    check_retired,
    check_sampling,
    read_facts,
    warn_of_shutdown,
)
from feedback_lens.calls.local import open_local_assistant
from feedback_lens.calls.planning import current_plan
from feedback_lens.calls.request import Delivery, Request
from feedback_lens.calls.sender import Sender
from feedback_lens.calls.settings import is_offline
from feedback_lens.calls.store import ResponseStore, default_store_path
from feedback_lens.errors import InputError


def open_assistant(purpose: str, model: str, source: Path) -> Assistant:
    """The model that answers a stage's prompts.

    Args:
        purpose: the stage's name, for messages, progress and the ledger.
        model: the model as the endpoint or the snapshot names it.
        source: a folder of recorded replies, behind which the endpoint answers; or the folder
            of a transformers model, which then answers in process under a name of its content.

    Raises:
        InputError: `source` is neither.
    """
    if (source / "config.json").is_file():
        return open_local_assistant(purpose, source)
    if not source.is_dir():
        raise InputError(
            f"{source}: neither a folder of recorded replies nor of a model; "
            "set run.assistant in params.yaml"
        )
    plan = current_plan()
    if not plan and (warning := warn_of_shutdown(read_facts(model), date.today())):
        click.echo(f"{purpose}: {warning}", err=True)
    return Assistant(
        model,
        purpose,
        source,
        default_store_path(),
        lambda request: _open_remote_sender(request, purpose),
        plan.demand(purpose, model) if plan else None,
    )


def _open_remote_sender(request: Request, purpose: str) -> Sender:
    """The endpoint or its Batch API, by FEEDBACK_LENS_PROVIDER, where it may be asked at all."""
    facts = read_facts(request.model)
    if why := find_obstacle(facts, purpose):
        return NobodySender(purpose, request.model, why)
    check_sampling(facts, request.sampling, request.response_format, purpose)
    provider = os.environ.get("FEEDBACK_LENS_PROVIDER") or "endpoint"
    if provider == "endpoint":
        from feedback_lens.calls.endpoint import EndpointSender

        return EndpointSender(purpose, _open_budget(purpose, facts, share=1.0))
    if provider == "batch":
        from feedback_lens.calls.batch import BatchSender

        budget = _open_budget(purpose, facts, facts.batch_share)
        return BatchSender(purpose, default_store_path(), budget)
    raise InputError(f"FEEDBACK_LENS_PROVIDER={provider!r}: set it to endpoint or batch")


def _open_budget(purpose: str, facts: ModelFacts, share: float) -> Budget:
    def read_spent() -> float:
        store = ResponseStore(default_store_path())
        try:
            return store.spent(purpose)
        finally:
            store.close()

    return Budget(purpose, facts, read_cap(purpose), read_spent, share)


def find_obstacle(facts: ModelFacts, purpose: str) -> str | None:
    """Why the model may not be asked at all, to end a sentence; None where it may."""
    try:
        check_retired(facts, date.today(), purpose)
    except InputError as error:
        return error.message.removeprefix(f"{purpose}: ")
    if is_offline():
        return "FEEDBACK_LENS_OFFLINE=1; unset it to ask the endpoint"
    if not os.environ.get("OPENAI_API_KEY", "").strip():
        return (
            "there is no key; set OPENAI_API_KEY (and OPENAI_BASE_URL for a server other than "
            "OpenAI's), or run.assistant to a model folder"
        )
    return None


class NobodySender:
    """Counts what nobody may be asked for, so that the error can say how much is missing."""

    takes_turns = False

    def __init__(self, purpose: str, model: str, why: str) -> None:
        self._purpose, self._model, self._why = purpose, model, why
        self._missing = 0

    def has_room(self) -> bool:
        """Always: nothing is sent."""
        return True

    def start(self, request: Request) -> None:
        """Count a missing reply."""
        self._missing += 1

    def collect(self) -> list[Delivery]:
        """Nothing is under way."""
        return []

    def finish(self) -> None:
        """Say what is missing, and what to set.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"{self._purpose}: {self._missing} replies of model {self._model!r} are not recorded "
            f"and {self._why}"
        )

    def close(self) -> list[Delivery]:
        """Nothing is under way."""
        return []
