"""Prompt files: text with {named} places, filled in one pass so that a value is never expanded."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError

_PLACE = re.compile(r"\{([a-z_]+)\}")


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
    """Untrusted text as JSON: it cannot close its own quotes, whatever it holds."""
    return json.dumps(value, ensure_ascii=False)
