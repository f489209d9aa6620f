"""Rows of a training set from preference data: rated replies, or pairs of a better and a worse one.

Source: the dataset formats of TRL 1.16 (unpaired and paired preference, standard and
conversational) and of LLaMA-Factory (ShareGPT's names of roles and fields, Alpaca's,
`system`, `history`, `kto_tag`), and hh-rlhf's dialogs in one text.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from feedback_lens.errors import InputError
from feedback_lens.logs.formats import MalformedRow
from feedback_lens.training.preference_fields import (
    check_all_read,
    read_before,
    read_context,
    read_messages,
)
from feedback_lens.training.preflight import Messages
from feedback_lens.training.recipes import choose_held_out_rows

Raw = Iterable[tuple[str, Mapping[str, Any] | None]]
LABELS = ("label", "kto_tag")
# numbers and words stand for booleans in tables that went through CSV or pandas
FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


@dataclass(frozen=True)
class Preferences:
    """What was read of a preference file.

    `rows` are rows of `TRAINING_SET`; `rejects`, rows of `REJECTS`, are the file's rows that could
    not be read; `unwanted` counts its rows that only say what is undesirable, which SFT leaves out.
    """

    rows: list[dict[str, Any]]
    rejects: list[dict[str, str | None]]
    unwanted: int

    def count_rejects(self) -> dict[str, int]:
        """Rows that could not be read, by reason."""
        return dict(sorted(Counter(str(reject["reason"]) for reject in self.rejects).items()))


@dataclass(frozen=True)
class _Rated:
    prompt: Messages
    reply: str
    desirable: bool


def read_preferences(raw: Raw, method: str, held_out_share: float) -> Preferences:
    """Make rows of a training set of the rows of a preference file.

    A row has a context (`messages`, `conversations`, `prompt` or `instruction` with `input`),
    after `system` and `history` where it has them, and either `chosen` and `rejected` (or both as
    a list in `output`), or `label`, which rates `completion`, `output` or the context's last
    reply. Contexts and replies are texts or lists of messages (`role`, `content` or `from`,
    `value`), in a text as JSON, too. Where `chosen` and `rejected` are whole dialogs, they hold the
    context. A row with context of another kind (`tools`, `images`) is a reject.

    Args:
        raw: pairs of a row's source and the row, null where it is no JSON object.
        method: `kto` keeps each rated reply, `sft` those that are desirable or chosen.
        held_out_share: share of prompts (0 to 1) kept for evaluation, by a hash; rows of one
            prompt stand on one side.

    Returns:
        The rows in the file's order; `conversation_id` is a hash of the prompt's messages, `turn`
        the number of user messages in it.

    Raises:
        InputError: not one row could be read.
    """
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, str | None]] = []
    unwanted = 0
    for source, row in raw:
        try:
            rated = _read_rated({} if row is None else row)
        except MalformedRow as reason:
            rejects.append({"source": source, "conversation_id": None, "reason": str(reason)})
            continue
        wanted = [one for one in rated if one.desirable or method == "kto"]
        unwanted += not wanted
        rows += [_as_row(one, method) for one in wanted]
    found = Preferences(rows, rejects, unwanted)
    _check_rows(found)
    held_out = choose_held_out_rows(rows, held_out_share)
    for made in rows:
        made["held_out"] = made["conversation_id"] in held_out
    return found


def _check_rows(found: Preferences) -> None:
    if found.rows:
        return
    reasons = [f"{name} {count}" for name, count in found.count_rejects().items()]
    first = f", first at {found.rejects[0]['source']}" if found.rejects else ""
    raise InputError(
        f"training-set: no row to train on ({', '.join(reasons) or 'no rows'}{first}; "
        f"{found.unwanted} undesirable); a row must have a context (`messages`, `conversations`, "
        "`prompt` or `instruction`) and either `label` or `kto_tag` for its last reply, "
        "`completion` or `output`, or else two replies: `chosen` and `rejected`, or a list in "
        "`output`"
    )


def _as_row(rated: _Rated, method: str) -> dict[str, Any]:
    spelled = json.dumps(rated.prompt, ensure_ascii=False, sort_keys=True)
    return {
        "conversation_id": hashlib.sha256(spelled.encode()).hexdigest()[:32],
        "turn": sum(message["role"] == "user" for message in rated.prompt),
        "prompt": rated.prompt,
        "completion": [{"role": "assistant", "content": rated.reply}],
        "desirable": rated.desirable if method == "kto" else None,
    }


def _read_rated(row: Mapping[str, Any]) -> list[_Rated]:
    # a column that only other rows of a table fill is null here
    given = {name: value for name, value in row.items() if value is not None}
    if not given:
        raise MalformedRow("not_a_json_object")
    rated = _read_pair(given) if _is_pair(given) else [_read_label(given)]
    check_all_read(given, rated[0].prompt)
    return rated


def _is_pair(given: Mapping[str, Any]) -> bool:
    two = isinstance(given.get("output"), list) and not given.keys() & set(LABELS)
    return two or {"chosen", "rejected"} <= given.keys()


def _read_label(given: Mapping[str, Any]) -> _Rated:
    label = next((given[name] for name in LABELS if name in given), None)
    if label is None:
        raise MalformedRow("neither_label_nor_pair")
    if str(label).lower() not in FLAGS:
        raise MalformedRow("label_is_no_boolean")
    reply = given.get("completion", given.get("output", []))
    prompt, last = _split_reply(read_context(given), read_before(given), reply)
    return _Rated(prompt, last, FLAGS[str(label).lower()])


def _read_pair(given: Mapping[str, Any]) -> list[_Rated]:
    whole = {"chosen", "rejected"} <= given.keys()
    replies = [given["chosen"], given["rejected"]] if whole else given["output"]
    if len(replies) != 2:
        raise MalformedRow("output_is_no_pair")
    context, before = read_context(given), read_before(given)
    (prompt, chosen), (other, rejected) = (
        _split_reply(context, before, reply) for reply in replies
    )
    if prompt != other:
        raise MalformedRow("pair_of_two_prompts")
    if chosen == rejected:
        raise MalformedRow("chosen_is_rejected")
    return [_Rated(prompt, chosen, True), _Rated(prompt, rejected, False)]


def _split_reply(context: Messages, before: Messages, reply: Any) -> tuple[Messages, str]:
    """Prompt and reply; a reply of several messages is a whole dialog that holds its context."""
    messages = read_messages(reply, "assistant")
    dialog = messages if len(messages) > 1 else context + messages
    if dialog[:-1][: len(before)] != before:
        dialog = before + dialog
    if not dialog or dialog[-1]["role"] != "assistant":
        raise MalformedRow("no_reply_at_the_end")
    prompt, last = dialog[:-1], dialog[-1]["content"]
    if not last.strip():
        raise MalformedRow("empty_reply")
    _check_prompt(prompt)
    return prompt, last


def _check_prompt(prompt: Messages) -> None:
    turns = prompt[1:] if prompt and prompt[0]["role"] == "system" else prompt
    roles = [message["role"] for message in turns]
    if "system" in roles:
        raise MalformedRow("system_message_not_first")
    if "user" not in roles:
        raise MalformedRow("no_user_message")
    if roles != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        raise MalformedRow("roles_do_not_alternate")
    if any(not message["content"].strip() for message in turns if message["role"] == "user"):
        raise MalformedRow("empty_user_turn")
