"""What is known of models: prices, announced shutdowns, settings they refuse (catalog.yaml)."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError

VARIABLE = "FEEDBACK_LENS_CATALOG"
PACKAGED = Path(__file__).with_name("catalog.yaml")
SETTINGS = frozenset(
    ("temperature", "top_p", "max_tokens", "seed", "logprobs", "top_logprobs", "reasoning_effort")
)
# how params.yaml says that a setting is not sent, where it is not `null`
_UNSET = {"logprobs": "false"}
# gpt-4o-mini-2024-07-18, claude-sonnet-4-5-20250929, gpt-4-0613
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|(0[1-9]|1[0-2])[0-3]\d)$")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens of the prompt, of its part read from a cache, of the reply."""

    prompt: float
    cached_prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars of one call; `cached_tokens` are those of the prompt read from a cache."""
        fresh = prompt_tokens - cached_tokens
        dollars = fresh * self.prompt + cached_tokens * self.cached_prompt
        return (dollars + completion_tokens * self.completion) / 1_000_000


@dataclass(frozen=True)
class ModelFacts:
    """What is documented of a model or service; null is unknown.

    `batch_share` is what a batch costs as a share of the price; `shutdown` the first day on which
    it no longer answers; `refuses` the settings of the API that it turns down where no reasoning
    effort is sent, `refuses_thinking` those that it takes with the effort `none` alone;
    `structured_output` whether it takes a JSON schema.
    """

    name: str
    price: Price | None = None
    batch_share: float = 1.0
    shutdown: date | None = None
    substitute: str | None = None
    refuses: frozenset[str] = frozenset()
    refuses_thinking: frozenset[str] = frozenset()
    structured_output: bool | None = None


def read_facts(model: str) -> ModelFacts:
    """The facts of a model, by its own entry or else that of its name without the date.

    Fields that the file FEEDBACK_LENS_CATALOG gives take the place of the packaged ones. A model
    that neither lists has empty facts.

    Raises:
        InputError: that file cannot be read or is no catalog; file, model and field are named.
    """
    own, packaged = _read_own(), _read(PACKAGED)["entries"]
    names = (model,) if model in packaged else (drop_day(model), model)
    entry: dict[str, Any] = {}
    for table in (packaged, own.get("entries", {})):
        for name in names:
            entry |= table.get(name, {})
    return _join_facts(entry, own.get("path", PACKAGED), model)


def read_all_facts(path: Path) -> dict[str, ModelFacts]:
    """The facts of every model and service of one catalog file, by name.

    Raises:
        InputError: it cannot be read or is no catalog; file, model and field are named.
    """
    entries = _read(path)["entries"]
    return {name: _join_facts(entry, path, name) for name, entry in entries.items()}


def read_prices(path: Path) -> dict[str, Price]:
    """The models of one catalog file that have a price, by name.

    Raises:
        InputError: as of `read_all_facts`.
    """
    return {name: facts.price for name, facts in read_all_facts(path).items() if facts.price}


def drop_day(model: str) -> str:
    """The name of a model without the day of its snapshot."""
    return _SNAPSHOT.sub("", model)


def catalog_date() -> date:
    """The day of the facts: of FEEDBACK_LENS_CATALOG where it gives one, else of the package."""
    day: date = _read_own().get("as_of") or _read(PACKAGED)["as_of"]
    return day


def warn_of_shutdown(facts: ModelFacts, today: date) -> str | None:
    """One line with date, days and substitute; null where no shutdown is announced."""
    if facts.shutdown is None:
        return None
    days = (facts.shutdown - today).days
    substitute = f"substitute: {facts.substitute or 'none known'}"
    if days > 0:
        when = f"is shut down on {facts.shutdown} (in {days} day{'s' * (days != 1)})"
        return f"{facts.name} {when}: record its replies now; {substitute}"
    when = f"was shut down on {facts.shutdown} ({-days} day{'s' * (days != -1)} ago)"
    return f"{facts.name} {when}: only recorded replies answer for it; {substitute}"


def check_retired(facts: ModelFacts, today: date, purpose: str) -> None:
    """Turn a call to a model down from the day of its shutdown on.

    Raises:
        InputError: it is shut down, so that only what is recorded of it can be had.
    """
    if facts.shutdown is None or today < facts.shutdown:
        return
    entry = {"judge": "judges.<name>", "judge_pairs": "pair_judges.<name>"}.get(purpose, purpose)
    instead = f"set {entry}.model to {facts.substitute}" if facts.substitute else "choose another"
    raise InputError(
        f"{purpose}: model {facts.name!r} was shut down on {facts.shutdown}: only its recorded "
        f"replies can be had; {instead}, or, if your server still has it, give it "
        f"`shutdown: null` in a file named by {VARIABLE} (docs/models.md)"
    )


def check_sampling(
    facts: ModelFacts,
    sampling: Sampling,
    response_format: Mapping[str, Any] | None,
    purpose: str,
) -> None:
    """Turn a request down that the model would, before anything is paid for.

    Raises:
        InputError: it sets what the model refuses; the message names the parameter to change.
    """
    refuses, effort = facts.refuses, sampling.reasoning_effort
    if effort is not None:
        thinking = facts.refuses_thinking
        refuses = refuses - thinking if effort == "none" else refuses | thinking
    refused = [name for name in sampling.as_json() if name in refuses]
    mends = [f"{purpose}.{name}: {_UNSET.get(name, 'null')}" for name in refused]
    if facts.refuses_thinking & set(refused):
        mends[-1] += f" (or {purpose}.reasoning_effort: none)"
    wants_schema = (response_format or {}).get("type") == "json_schema"
    if wants_schema and facts.structured_output is False:
        refused.append("response_format json_schema")
        mends.append(f"{purpose}.structured: false")
    if refused:
        raise InputError(
            f"{purpose}: model {facts.name!r} refuses {' and '.join(refused)}; set "
            f"{' and '.join(mends)} in params.yaml ({VARIABLE} corrects what is known of a model)"
        )


def _join_facts(entry: Mapping[str, Any], path: Path, model: str) -> ModelFacts:
    known = {"batch_share", "shutdown", "substitute", "structured_output"}
    facts = {name: entry[name] for name in known if entry.get(name) is not None}
    for name in ("refuses", "refuses_thinking"):
        facts[name] = frozenset(entry.get(name) or ())
    return ModelFacts(model, _join_price(entry, path, model), **facts)


def _join_price(entry: Mapping[str, Any], path: Path, model: str) -> Price | None:
    """The price where prompt and completion have one; a cached prompt without one has no rebate."""
    prompt, completion = entry.get("prompt"), entry.get("completion")
    if prompt is None and completion is None:
        return None
    if prompt is None or completion is None:
        missing = "prompt" if prompt is None else "completion"
        raise InputError(f"{path}: {model}: {missing} is missing; give both prices or none")
    cached = entry.get("cached_prompt")
    if cached is not None and cached > prompt:
        raise InputError(
            f"{path}: {model}: cached_prompt {cached:g} is above prompt {prompt:g}; give both"
        )
    return Price(float(prompt), float(prompt if cached is None else cached), float(completion))


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6


def _is_date(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _are_settings(value: Any) -> bool:
    return isinstance(value, list) and all(str(item) in SETTINGS for item in value)


_DOLLARS = (_is_amount, "US dollars per million tokens, 0 or more")
_SETTINGS = (_are_settings, f"a list of some of {', '.join(sorted(SETTINGS))}")
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "prompt": _DOLLARS,
    "cached_prompt": _DOLLARS,
    "completion": _DOLLARS,
    "batch_share": (lambda value: _is_amount(value) and 0 < value <= 1, "above 0 and at most 1"),
    "shutdown": (_is_date, "a date such as 2027-01-14"),
    "substitute": (lambda value: isinstance(value, str), "the name of a model"),
    "refuses": _SETTINGS,
    "refuses_thinking": _SETTINGS,
    "structured_output": (lambda value: isinstance(value, bool), "true or false"),
    "source": (lambda value: isinstance(value, dict | list | str), "where the facts are from"),
}


def _read_own() -> Mapping[str, Any]:
    path = os.environ.get(VARIABLE)
    return _read(Path(path)) if path else {}


@cache
def _read(path: Path) -> Mapping[str, Any]:
    """A catalog file, checked: its path, its day and its entries by name."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: cannot be read ({' '.join(str(error).split())}); {VARIABLE}, and "
            "summarize_calls.catalog in params.yaml, name YAML files as docs/models.md shows"
        ) from None
    sections = {"as_of", "models", "services", "sources"}
    if not isinstance(content, dict) or not content.keys() <= sections:
        raise InputError(f"{path}: not a catalog; its sections are {', '.join(sorted(sections))}")
    if content.get("as_of") is not None and not _is_date(content["as_of"]):
        raise InputError(f"{path}: as_of: {content['as_of']!r} is not a date such as 2026-11-23")
    entries: dict[str, Any] = {}
    for section in ("models", "services"):
        named = content.get(section) or {}
        if not isinstance(named, dict):
            raise InputError(f"{path}: {section}: not entries by name (docs/models.md)")
        for name, entry in named.items():
            _check_entry(entry, path, name)
        entries |= named
    return {"path": path, "as_of": content.get("as_of"), "entries": entries}


def _check_entry(entry: Any, path: Path, name: Any) -> None:
    """Raise where an entry is no mapping of known fields to values of their type."""
    if not isinstance(name, str) or not isinstance(entry, dict):
        raise InputError(f"{path}: {name}: a name with fields below it is wanted (docs/models.md)")
    for field, value in entry.items():
        if field not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise InputError(f"{path}: {name}: {field!r} is no field; the fields are {known}")
        fits, wanted = _FIELDS[field]
        if value is not None and not fits(value):
            raise InputError(f"{path}: {name}: {field}: {value!r} is not {wanted}")
