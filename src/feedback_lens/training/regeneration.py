"""Regenerated replies: `scratch` (m_scra) answers u_i, `semantic` (m_sem) revises m_i by u_(i+1).

Both see the messages before u_i where the splits have them (`earlier`); in the paper they do not.
The reward model never sees them: it scores a reply to u_i, with or without u_(i+1).

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
# scratch has earlier messages as real ones, so that its prompt need not speak of them
_WITH_EARLIER = {"scratch": "scratch", "semantic": "semantic_earlier"}
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
    """The request for one sub-conversation (a row of `SPLITS`); the template is the method's.

    The messages in `earlier` stand in the exchange where the template shows one; else they go
    before the prompt, as messages of their own.
    """
    earlier = row.get("earlier") or []
    exchange = {"earlier": earlier} if earlier else {}
    exchange |= {"request": row["prompt"], "reply": row["reply"], "feedback": row["feedback"]}
    prompt = render(template, {"prompt": row["prompt"], "exchange": fence(exchange)})
    if "{exchange}" in template:
        return ask_user(model, prompt, sampling)
    return Request(model, (*earlier, {"role": "user", "content": prompt}), sampling)


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

    `prompts` is the folder with `regenerate_scratch.txt`, `regenerate_semantic.txt` and, for rows
    with earlier messages, `regenerate_semantic_earlier.txt`.

    Raises:
        InputError: the name, the template or the model is not usable.
    """
    split, method = parse_regeneration(regeneration)
    plain, with_earlier = (
        read_prompt(prompts / f"regenerate_{name}.txt", METHODS[method])
        for name in (method, _WITH_EARLIER[method])
    )
    assistant = open_assistant("regenerate", policy.model, policy.source)
    chosen = [row for row in rows if row["split"] == split]
    templates = (with_earlier if row["earlier"] else plain for row in chosen)
    responses = assistant.ask(
        [
            request_reply(row, template, assistant.model, policy.sampling)
            for row, template in zip(chosen, templates, strict=True)
        ],
        lambda index, response: holds_text(response),
        policy.reasks,
    )
    replies = [
        read_reply(row, response, assistant.model)
        for row, response in zip(chosen, responses, strict=True)
    ]
    return replies, count_calls(assistant.model, replies, assistant.tally())
