"""The one way to call a model: a batch of requests in, their responses out.

Layers in order: the response store, the recorded snapshot, then the model itself (an endpoint
that speaks the OpenAI API, or a transformers model in process).
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from feedback_lens.calls.endpoint import ask_endpoint
from feedback_lens.calls.local import ask_local_model
from feedback_lens.calls.models import name_local_model
from feedback_lens.calls.request import Request, Response
from feedback_lens.calls.store import ResponseStore, default_store_path
from feedback_lens.errors import InputError

# sends requests and yields each answer as it arrives
Send = Callable[[Sequence[Request]], Iterable[tuple[Request, Response]]]


@dataclass(frozen=True)
class Assistant:
    """A model to ask: its name as it stands in requests, and what answers what is not kept yet."""

    model: str
    purpose: str
    recorded: Path
    send: Send
    store_path: Path

    def ask(self, requests: Sequence[Request]) -> list[Response]:
        """Answer a batch; the responses stand in the order of the requests.

        A request is sent only where neither store nor snapshot has it, and once where it is
        asked twice; each answer is durable before the next is waited for.

        Raises:
            InputError: an answer is missing and cannot be had; the message says what to set.
        """
        keys = [request.key for request in requests]
        store = ResponseStore(self.store_path)
        try:
            found = store.get(keys)
            wanted = frozenset(keys) - found.keys()
            if wanted:
                store.unpack(self.recorded, wanted)
                found = store.get(keys)
            missing = {k: r for k, r in zip(keys, requests, strict=True) if k not in found}
            if missing:
                for request, response in self.send(list(missing.values())):
                    store.put(request, response)
                # another process may have been first, and the first answer stays
                found = store.get(keys)
        finally:
            store.close()
        return [found[key] for key in keys]


def open_assistant(purpose: str, model: str, source: Path) -> Assistant:
    """The model that answers a stage's prompts.

    Args:
        purpose: the stage's name, for messages and progress.
        model: the model as the endpoint or the snapshot names it.
        source: a folder of recorded replies, behind which the endpoint answers; or the folder
            of a transformers model, which then answers in process under a name of its content.

    Raises:
        InputError: `source` is neither.
    """
    if (source / "config.json").is_file():
        return Assistant(
            name_local_model(source),
            purpose,
            source,
            lambda requests: ask_local_model(requests, source, purpose),
            default_store_path(),
        )
    if not source.is_dir():
        raise InputError(
            f"{source}: neither a folder of recorded replies nor of a model; "
            "set run.assistant in params.yaml"
        )
    return Assistant(
        model,
        purpose,
        source,
        lambda requests: _ask_endpoint(requests, purpose, model),
        default_store_path(),
    )


def _ask_endpoint(
    requests: Sequence[Request], purpose: str, model: str
) -> Iterable[tuple[Request, Response]]:
    missing = f"{purpose}: {len(requests)} replies of model {model!r} are not recorded"
    if os.environ.get("FEEDBACK_LENS_OFFLINE") == "1":
        raise InputError(f"{missing} and FEEDBACK_LENS_OFFLINE=1; unset it to ask the endpoint")
    if not os.environ.get("OPENAI_API_KEY"):
        raise InputError(
            f"{missing} and there is no key; set OPENAI_API_KEY (and OPENAI_BASE_URL for a server "
            "other than OpenAI's), or run.assistant to a model folder"
        )
    return ask_endpoint(requests, purpose)
