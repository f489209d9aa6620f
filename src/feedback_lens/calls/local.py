"""A transformers model in process, under a name of its content."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from feedback_lens.calls.asking import Assistant
from feedback_lens.calls.completion import now
from feedback_lens.calls.generation import Generated, generate
from feedback_lens.calls.models import (
    batch_by_length,
    choose_device,
    configure_libraries,
    context_of,
    load_causal_model,
    load_tokenizer,
    name_local_model,
    read_batch_size,
    read_end_tokens,
)
from feedback_lens.calls.planning import current_plan
from feedback_lens.calls.request import Delivery, Request, Response
from feedback_lens.calls.store import default_store_path
from feedback_lens.errors import InputError

# requests that are sorted by length together
WINDOW = 4096


def open_local_assistant(purpose: str, folder: Path) -> Assistant:
    """The model in a folder, which answers in process under a name of its content.

    Raises:
        InputError: the folder holds no model, or an adapter whose base is missing.
    """
    name, plan = name_local_model(folder), current_plan()
    return Assistant(
        name,
        purpose,
        folder,
        default_store_path(),
        lambda request: LocalSender(folder, purpose),
        plan.demand(purpose, name) if plan else None,
    )


class LocalSender:
    """Answers by the model in a folder, batch by batch.

    float32 on a CPU, bfloat16 on a GPU; batches of FEEDBACK_LENS_BATCH requests of like length.
    A reply depends on its request alone, not on its batch. A prompt that leaves no room for the
    reply in the model's context loses its beginning; without `max_tokens` a reply may fill the
    context. A response format is not enforced. Log-probabilities, where a request asks for them,
    are the model's at temperature 1, whatever the request's.

    Raises:
        InputError: no model, no chat template, or `max_tokens` fills the whole context.
    """

    takes_turns = True

    def __init__(self, folder: Path, purpose: str) -> None:
        self._folder, self._purpose = folder, purpose
        self._model, self._tokenizer = _load(folder)
        self._name = name_local_model(folder)
        self._context = context_of(self._model.config)
        self._waiting: list[Request] = []
        self._batches: Iterator[list[Delivery]] | None = None

    def has_room(self) -> bool:
        """Whether one more request can be sorted into the batches."""
        return self._batches is None and len(self._waiting) < WINDOW

    def start(self, request: Request) -> None:
        """Take a request into the next window of batches."""
        self._waiting.append(request)

    def collect(self) -> list[Delivery]:
        """The answers of one batch; an empty list when all are answered."""
        if self._batches is None:
            self._batches = self._answer(self._waiting)
            self._waiting = []
        found = next(self._batches, [])
        if not found:
            self._batches = None
        return found or (self.collect() if self._waiting else [])

    def finish(self) -> None:
        """Every request got its answer."""

    def close(self) -> list[Delivery]:
        """Nothing is under way between two batches."""
        return []

    def _answer(self, requests: Sequence[Request]) -> Iterator[list[Delivery]]:
        context = self._context
        prompts = [_encode(r, self._tokenizer, context, self._folder) for r in requests]
        _warn_of_cuts(requests, prompts, context, self._purpose)
        for batch in batch_by_length([len(prompt) for prompt in prompts], read_batch_size()):
            began = time.monotonic()
            members = [requests[index] for index in batch]
            inputs = [prompts[index] for index in batch]
            replies = generate(members, inputs, self._model, self._tokenizer, context)
            seconds = (time.monotonic() - began) / len(batch)
            yield [
                Delivery(request, self._respond(prompt, reply), "local", 0.0, seconds)
                for request, prompt, reply in zip(members, inputs, replies, strict=True)
            ]

    def _respond(self, prompt: list[int], reply: Generated) -> Response:
        return Response(
            outcome="answered" if reply.has_ended else "cut_off",
            text=reply.text,
            served_model=self._name,
            prompt_tokens=len(prompt),
            completion_tokens=len(reply.tokens),
            answered_at=now(),
            logprobs=reply.logprobs,
        )


def _load(folder: Path) -> tuple[Any, Any]:
    configure_libraries()
    import torch

    tokenizer = load_tokenizer(folder)
    device = choose_device()
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = load_causal_model(folder, dtype, _plain_decoding(folder, tokenizer))
    return model.to(device).eval(), tokenizer


def _plain_decoding(folder: Path, tokenizer: Any) -> Any:
    from transformers import GenerationConfig

    # the request alone says how to decode; of the model's own settings its end tokens stay
    ends = read_end_tokens(folder)
    return GenerationConfig(
        eos_token_id=tokenizer.eos_token_id if ends is None else ends,
        pad_token_id=tokenizer.pad_token_id,
    )


def _encode(request: Request, tokenizer: Any, context: int, folder: Path) -> list[int]:
    messages = [dict(message) for message in request.messages]
    tokens: list[int] = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=True
    )["input_ids"]
    limit = request.sampling.max_tokens or 1
    if limit >= context:
        raise InputError(
            f"{folder}: max_tokens {limit} leaves no room for a prompt in the model's context of "
            f"{context} tokens; lower max_tokens"
        )
    return tokens[-(context - limit) :]


def _warn_of_cuts(
    requests: Sequence[Request], prompts: Sequence[list[int]], context: int, purpose: str
) -> None:
    pairs = zip(requests, prompts, strict=True)
    full = sum(len(p) == context - (r.sampling.max_tokens or 1) for r, p in pairs)
    if full:
        click.echo(
            f"{purpose}: {full} of {len(requests)} prompts fill the model's context of {context} "
            "tokens and may have lost their beginning",
            err=True,
        )
