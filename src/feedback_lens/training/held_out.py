"""Loss and implicit reward on rows that were kept apart from training."""

import math
from collections.abc import Sequence
from statistics import mean, variance
from typing import Any

from feedback_lens.calls.models import batch_by_length, pad_right
from feedback_lens.training.preflight import EncodedExample


def measure_log_likelihoods(
    model: Any, examples: Sequence[EncodedExample], pad: int, batch_size: int
) -> list[float]:
    """Log-likelihood (nats) of each example's completion given its prompt, in their order."""
    import torch

    model.eval()
    device = next(model.parameters()).device
    sums = [0.0] * len(examples)
    lengths = [len(e.prompt) + len(e.completion) for e in examples]
    # not inference_mode: what it makes of sharded weights could not be trained afterwards
    with torch.no_grad():
        for batch in batch_by_length(lengths, batch_size):
            inputs = pad_right([examples[i].prompt + examples[i].completion for i in batch], pad)
            logits = model(**{name: part.to(device) for name, part in inputs.items()}).logits
            for row, index in zip(logits, batch, strict=True):
                sums[index] = _sum_completion(row, examples[index])
    return sums


def _sum_completion(logits: Any, example: EncodedExample) -> float:
    """Sum over the completion's tokens; `logits` is `(time, vocabulary)` of the padded row."""
    import torch

    start = len(example.prompt)
    end = start + len(example.completion)
    targets = torch.tensor(example.completion, device=logits.device)
    nats = torch.nn.functional.cross_entropy(
        logits[start - 1 : end - 1].float(), targets, reduction="sum"
    )
    return -nats.item()


def mean_token_loss(
    examples: Sequence[EncodedExample], log_likelihoods: Sequence[float]
) -> float | None:
    """Mean negative log-likelihood (nats) a completion token; null without examples.

    Undesirable examples are left out: a model that unlearns them should find them less likely.
    """
    kept = [
        (example, value)
        for example, value in zip(examples, log_likelihoods, strict=True)
        if example.desirable is not False
    ]
    tokens = sum(len(example.completion) for example, _ in kept)
    return -sum(value for _, value in kept) / tokens if tokens else None


def reward_margin(
    examples: Sequence[EncodedExample],
    before: Sequence[float],
    after: Sequence[float],
    beta: float,
) -> tuple[float | None, float | None]:
    """Mean implicit reward of desirable minus that of undesirable examples, and its standard error.

    The implicit reward of a completion is beta times the gain of its log-likelihood over the
    reference, which is the model before training. The margin is null where a class lacks, the
    error where one has fewer than two examples.
    Source: Ethayarajh et al. 2024 (KTO), section 4; the error as in Welch's test.
    """
    gains: dict[bool | None, list[float]] = {True: [], False: [], None: []}
    for example, old, new in zip(examples, before, after, strict=True):
        gains[example.desirable].append(beta * (new - old))
    good, bad = gains[True], gains[False]
    if not good or not bad:
        return None, None
    margin = mean(good) - mean(bad)
    if min(len(good), len(bad)) < 2:
        return margin, None
    return margin, math.sqrt(variance(good) / len(good) + variance(bad) / len(bad))
