"""Decoding in which a row's tokens depend on its own request alone, never on its batch."""

from collections.abc import Sequence

import torch

from feedback_lens.calls.request import Request


class GumbelSampler:
    """Makes greedy decoding draw from each row's own distribution, by the row's own random stream.

    argmax(logits / T + Gumbel noise) is an exact draw from softmax(logits / T). The stream is
    seeded by the request's key (in which the request's seed stands), so a reply is the same in
    any batch, order and run. A temperature of 0 or None leaves the row greedy.
    Use as a transformers logits processor, with scores of shape `(batch, vocabulary)`, the last one
    of greedy decoding.

    `steps` holds for each step so far, where a request asks for log-probabilities, those of the
    chosen tokens `(batch,)` in the model's own distribution: at temperature 1, over all tokens.
    """

    def __init__(self, requests: Sequence[Request]) -> None:
        self.settings = [request.sampling for request in requests]
        self.streams = [
            torch.Generator().manual_seed(int(request.key[:15], 16)) for request in requests
        ]
        self.steps: list[torch.Tensor] = []
        self._keeps = any(settings.logprobs for settings in self.settings)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores with the noise of this step."""
        rows = []
        for row, settings, stream in zip(scores, self.settings, self.streams, strict=True):
            if not settings.temperature:
                rows.append(row.double())
                continue
            logits = _keep_nucleus(row.double() / settings.temperature, settings.top_p)
            # double precision: single would cut off the tail of the noise and with it rare tokens
            wait = torch.empty(len(row), dtype=torch.float64).exponential_(generator=stream)
            rows.append(logits - wait.log().to(logits.device))
        noisy = torch.stack(rows)
        if self._keeps:
            chosen = noisy.argmax(-1, keepdim=True)
            own = scores.float().log_softmax(-1).gather(-1, chosen)
            self.steps.append(own.squeeze(-1))
        return noisy


def _keep_nucleus(logits: torch.Tensor, top_p: float | None) -> torch.Tensor:
    """Mask all but the fewest most likely tokens whose probabilities add up to `top_p`."""
    if top_p is None or top_p >= 1:
        return logits
    ordered, order = logits.sort(descending=True, stable=True)
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    return logits.index_fill(0, order[before >= top_p], float("-inf"))
