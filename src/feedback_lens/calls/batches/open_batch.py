from dataclasses import dataclass

from feedback_lens.calls.batches.losses import Patience


@dataclass
class OpenBatch:
    """A batch at the server that is ours to wait for.

    `taken_over` from a process that died, so that requests may stand in it that nobody asked for
    in this run; `done` of its requests are dealt with at the server; `reason`: why requests of it
    got no answer.
    """

    name: str
    batch_id: str
    purpose: str
    model: str
    requests: int
    patience: Patience
    taken_over: bool = False
    done: int = 0
    reason: str = "a batch came back without a line for them"
