"""Prompt files: text with {named} places, filled in one pass so that a value is never expanded."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError

_PLACE = re.compile(r"\{([a-z_]+)\}")
# what hides or turns text around, and half a character. Two look alike and stay as they are:
# U+200D joins emoji, and recorded requests hold U+2028.
_HIDDEN = (
    "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2029-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff"
)
# what chat templates write between turns; a tokenizer may take it for that wherever it stands
_MARK = (
    r"<(?=[|\uff5c]|/?s>|<?/?SYS>|(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_\w+|AVAILABLE_TOOLS)\])"
)
_ESCAPED = re.compile(f"[{_HIDDEN}]|{_MARK}")


def read_prompt(path: Path, places: set[str]) -> str:
    """Read a prompt template.

    Raises:
        InputError: the file is missing, or lacks one of the places it must have.
    """
    try:
        template = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error}); save it as UTF-8") from None
    missing = places - set(_PLACE.findall(template))
    if missing:
        raise InputError(f"{path}: the place {{{sorted(missing)[0]}}} is missing from the prompt")
    return template


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill the places of a template; braces that are no place (JSON in it) stay as they are."""
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), template)


def fence(value: Any) -> str:
    """Untrusted text as JSON without a line feed: it cannot close its own quotes.

    Characters that hide or reorder text, lone surrogates and the first character of a chat
    template's marks are escaped, so that the model sees them as data; the JSON means the same.
    U+2028, the line separator, stays, as recorded replies are keyed by prompts that hold it: who
    breaks lines there too sees more than one.
    """
    text = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return f"\\u{ord(character):04x}" if character in "<[" else json.dumps(character)[1:-1]
