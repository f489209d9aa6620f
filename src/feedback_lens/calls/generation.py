"""Replies of a transformers model to a batch of prompts, with log-probabilities where asked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from feedback_lens.calls.logprobs import fit_tokens, round_logprob
from feedback_lens.calls.request import Logprobs, Request


class Generated(NamedTuple):
    """A reply: its tokens up to and with its end token, where it has one, and their text.

    `logprobs` are those of the model at temperature 1, whatever the request's; null where the
    request does not ask for them.
    """

    tokens: list[int]
    has_ended: bool
    text: str
    logprobs: Logprobs | None


def generate(
    requests: Sequence[Request],
    prompts: Sequence[list[int]],
    model: Any,
    tokenizer: Any,
    context: int,
) -> list[Generated]:
    """The replies to prompts, which are tokens; without `max_tokens` a reply may fill the context.

    The settings of decoding are the requests' own; of the model's own its end tokens alone count.
    """
    import torch

    from feedback_lens.calls.decoding import GumbelSampler

    limits = [
        request.sampling.max_tokens or context - len(prompt)
        for request, prompt in zip(requests, prompts, strict=True)
    ]
    inputs = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    sampler = GumbelSampler(requests)
    with torch.inference_mode():
        outputs = model.generate(
            **inputs.to(model.device), max_new_tokens=max(limits), logits_processor=[sampler]
        )
    rows = outputs[:, inputs["input_ids"].shape[1] :].tolist()
    scores = torch.stack(sampler.steps, 1).tolist() if sampler.steps else [None] * len(rows)
    ends = _end_tokens(model)
    return [
        _read(row[:limit], ends, tokenizer, values if request.sampling.logprobs else None)
        for request, row, limit, values in zip(requests, rows, limits, scores, strict=True)
    ]


def split_text(tokens: Sequence[int], text: str, tokenizer: Any) -> list[str]:
    """The text that each token adds; a character of several tokens stands with the last."""
    texts, known = [], 0
    for count in range(1, len(tokens) + 1):
        so_far = tokenizer.decode(tokens[:count], skip_special_tokens=True)
        # half a character is decoded to a sign that the text does not have there
        end = max(known, len(so_far)) if text.startswith(so_far) else known
        texts.append(text[known:end])
        known = end
    return [*texts[:-1], texts[-1] + text[known:]]


def _read(row: list[int], ends: set[int], tokenizer: Any, values: list[float] | None) -> Generated:
    last = next((index for index, token in enumerate(row) if token in ends), len(row))
    tokens = row[: last + 1]
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    logprobs = None
    if values is not None:
        rounded = [round_logprob(value) for value in values[: len(tokens)]]
        logprobs = fit_tokens(split_text(tokens, text, tokenizer), rounded, text)
    return Generated(tokens, last < len(row), text, logprobs)


def _end_tokens(model: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    return set(ends) if isinstance(ends, list) else {ends}
