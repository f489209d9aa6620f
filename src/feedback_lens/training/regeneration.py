"""Regenerated replies: `scratch` (m_scra) answers u_i, `semantic` (m_sem) revises m_i by u_(i+1).

Source: paper section 5.1.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.policy import AskPolicy, count_calls
from feedback_lens.calls.request import Request, Response, Sampling, ask_user
from feedback_lens.errors import InputError
from feedback_lens.prompts import fence, read_prompt, render

METHODS = {"scratch": {"prompt"}, "semantic": {"exchange"}}
REPLIES = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("reply", pa.string()),
        ("outcome", pa.string()),
        ("model", pa.string()),
    ]
)


def parse_regeneration(name: str) -> tuple[str, str]:
    """Split and method of a regeneration's name: `neg_semantic` is (`neg`, `semantic`).

    Raises:
        InputError: the name is not a split and a method.
    """
    split, _, method = name.partition("_")
    if split not in ("neg", "pos", "rand") or method not in METHODS:
        raise InputError(
            f"run.regeneration.regenerations: {name!r} is not <split>_<method>, "
            "split one of neg, pos, rand, method one of scratch, semantic"
        )
    return split, method


def request_reply(row: Mapping[str, Any], template: str, model: str, sampling: Sampling) -> Request:
    """The request for one sub-conversation (a row of `SPLITS`); the template is the method's."""
    exchange = {
        "request": row["prompt"],
        "reply": row["reply"],
        "feedback": row["feedback"],
    }
    prompt = render(template, {"prompt": row["prompt"], "exchange": fence(exchange)})
    return ask_user(model, prompt, sampling)


def read_reply(row: Mapping[str, Any], response: Response, model: str) -> dict[str, Any]:
    """A row of `REPLIES`; the text of a reply that is not whole (cut off, refused) is kept too."""
    empty = response.outcome == "answered" and not holds_text(response)
    return {
        "conversation_id": row["conversation_id"],
        "turn": row["turn"],
        "reply": response.text,
        "outcome": "unreadable" if empty else response.outcome,
        "model": model,
    }


def holds_text(response: Response) -> bool:
    """Whether more than blanks came back: a reply without is unreadable."""
    return bool((response.text or "").strip())


def regenerate_replies(
    rows: Sequence[Mapping[str, Any]], regeneration: str, prompts: Path, policy: AskPolicy
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """New replies (rows of `REPLIES`) for one split of `rows`, and their counts by outcome.

    `prompts` is the folder with `regenerate_<method>.txt`.

    Raises:
        InputError: the name, the template or the model is not usable.
    """
    split, method = parse_regeneration(regeneration)
    template = read_prompt(prompts / f"regenerate_{method}.txt", METHODS[method])
    assistant = open_assistant("regenerate", policy.model, policy.source)
    chosen = [row for row in rows if row["split"] == split]
    responses = assistant.ask(
        [request_reply(row, template, assistant.model, policy.sampling) for row in chosen],
        lambda index, response: holds_text(response),
        policy.reasks,
    )
    replies = [
        read_reply(row, response, assistant.model)
        for row, response in zip(chosen, responses, strict=True)
    ]
    return replies, count_calls(assistant.model, replies, assistant.tally())
