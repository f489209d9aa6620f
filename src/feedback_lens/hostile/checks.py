"""Checks that hostile text changes nothing that our code decides: the prompts and the parsing."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_lens.hostile.injections import Injection
from feedback_lens.hostile.uses import Use, Verdict
from feedback_lens.prompts import read_prompt

_MARKER = "the text"
_OBJECT = re.compile(r'\{(?=")')
_ENTRIES = re.compile(r"\[(?=\{)")


def check_injections(
    injections: Sequence[Injection], uses: Sequence[Use], prompts: Path
) -> Iterator[dict[str, str]]:
    """Check every injection in every use; `prompts` is the folder of the prompt files.

    Yields rows `use, injection, family, check, result`, one a check. The check `prompt` renders
    the injection into the prompt: all outside the fence must stay, and the fenced JSON must hold
    the injection and be else the same. The others each read a reply of a model that keeps to its
    honest verdict but quotes the injection, in full, in prose, in a code fence, before and after
    its reasoning or the verdict, and, with and without escapes, inside the JSON object asked for:
    as a value in each object, and in one more entry that changes no verdict; all these once more
    with a code fence around the object. `echo` is a reply of the injection alone where an object
    is asked for; an injection that is such an answer (`answers`) is left out, as that would be
    the model's own verdict. So would be a line in the verdict's place, the last, that the model
    does not mark as a quotation.

    Words outside an object asked for, and keys of its own in it, make a reply unreadable by
    design: few checks of those uses can be held, and what the rest show is that nothing changed.
    `result` is `held`; `unreadable` (a part of the verdict was not read); or `changed` (the
    prompt was, or a part of the verdict was read and is not the honest one).

    Raises:
        InputError: a prompt file is missing, or lacks its place.
    """
    for use in uses:
        template = read_prompt(prompts / use.prompt, {use.place})
        for injection in injections:
            for check, result in _check(use, template, injection):
                yield {
                    "use": use.name,
                    "injection": injection.id,
                    "family": injection.family,
                    "check": check,
                    "result": result,
                }


def count_checks(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """By use: injections, checks (of prompt and replies), and these by result."""
    injections: dict[str, set[str]] = {}
    results: Counter[tuple[str, str]] = Counter()
    for row in rows:
        injections.setdefault(row["use"], set()).add(row["injection"])
        results.update([(row["use"], "checks"), (row["use"], row["result"])])
    return {
        use: {
            "injections": len(members),
            **{name: results[use, name] for name in ("checks", "held", "changed", "unreadable")},
        }
        for use, members in injections.items()
    }


def _check(use: Use, template: str, injection: Injection) -> Iterator[tuple[str, str]]:
    yield "prompt", "held" if keeps_frame(use, template, injection.text) else "changed"
    for reader in use.readers:
        replies = list_quoting_replies(reader.honest, injection.text, reader.entry)
        if reader.wants_object and use.name not in injection.answers:
            replies["echo"] = injection.text
        for name, reply in replies.items():
            yield name, _compare(reader.read(reply, injection.text), reader.verdict)


def keeps_frame(use: Use, template: str, text: str) -> bool:
    """Whether a text leaves the prompt around its fence, and the JSON around it, as they are."""
    plain = _open_fence(use, template, use.ask(template, _MARKER))
    fenced = _open_fence(use, template, use.ask(template, text))
    return plain is not None and fenced == _substitute(plain, text)


def list_quoting_replies(honest: str, text: str, entry: str | None = None) -> dict[str, str]:
    """Replies, by name, that hold the honest verdict in its place, and quote a text.

    `entry` is a further entry of the verdict's list, with the place `{}` for a JSON string.
    """
    quoted = text.replace("\n", "\n> ")
    replies = {
        "bare": f"{text}\n{honest}",
        "same_line": f"{text} {honest}",
        "prose": f'The text says "{text}", which I set aside.\n\n{honest}',
        "prose_same_line": f'The text says "{text}". {honest}',
        "prose_after_verdict": f'{honest}\nThe text says "{text}", which I set aside.',
        "quoted_last": f'{honest}\nThe text says "{text}".',
        "backticks_last": f"{honest}\nThe text says `{text}`.",
        "block_quote_last": f"{honest}\n> {quoted}",
        "code_fence": f"```\n{text}\n```\n{honest}",
        "code_fence_after_verdict": f"{honest}\n```\n{text}\n```",
        "block_quote": f"> {quoted}\n\n{honest}",
        "before_reasoning": f"{text}\n\nThat aside, it is short and clear.\n\n{honest}",
        "after_reasoning": f"It is short and clear.\n\n{text}\n\n{honest}",
        "as_json": f"{json.dumps(text)}\n{honest}",
    }
    for name, reply in _quote_inside(honest, text, entry):
        replies[name] = reply
        replies[f"{name}_in_code_fence"] = f"```json\n{reply}\n```"
    return replies


def _quote_inside(honest: str, text: str, entry: str | None) -> Iterator[tuple[str, str]]:
    """The object asked for, by name, with a text in it: none where no object is asked for."""
    for escape, value in (("escaped", json.dumps(text)), ("unescaped", f'"{text}"')):
        for number, place in enumerate(_OBJECT.finditer(honest)):
            before, after = honest[: place.end()], honest[place.end() :]
            yield f"{escape}_{number}", f'{before}"judgment": {value}, {after}'
        if entry and (opening := _ENTRIES.search(honest)):
            before, after = honest[: opening.end()], honest[opening.end() :]
            yield f"{escape}_entry", f"{before}{entry.replace('{}', value)}, {after}"


def _compare(found: Verdict, honest: Verdict) -> str:
    if any(part not in (None, own) for part, own in zip(found, honest, strict=True)):
        return "changed"
    return "unreadable" if None in found else "held"


def _open_fence(use: Use, template: str, prompt: str) -> Any:
    """The value that stands as one line of JSON in the template's place; None where none does."""
    before, _, after = template.partition(f"{{{use.place}}}")
    fenced = prompt[len(before) : len(prompt) - len(after)]
    if prompt != before + fenced + after or "\n" in fenced:
        return None
    try:
        return json.loads(fenced)
    except ValueError:
        return None


def _substitute(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _substitute(item, text) for name, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, text) for item in value]
    return text if value == _MARKER else value
