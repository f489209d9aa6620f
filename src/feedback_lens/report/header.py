"""What the page says first: profile, commit, dates of the data, models and their ends, cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_lens.calls.catalog import ModelFacts, drop_day
from feedback_lens.report.dates import Dates
from feedback_lens.report.inputs import Inputs

# what the paper asked of models and services that end
PAPER_MODELS = {
    "gpt-4o-mini": "labels and regenerations (sections 3.3 and 6)",
    "gpt-4": "judge of answers (section 6)",
    "perspective": "toxicity (section 4)",
}
LOCAL = "local:"  # of a model that a stage runs itself
Asked = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Commit:
    """The commit that a copy of the page is of: `date` in ISO 8601, `names` are branch and tags.

    `is_dirty` is true where the workspace had what no commit holds.
    """

    hash: str
    date: str
    names: Sequence[str]
    is_dirty: bool


@dataclass(frozen=True)
class Log:
    """A corpus: rows read, conversations kept, and the days on which these began."""

    name: str
    rows: int
    conversations: int
    dates: Dates


@dataclass(frozen=True)
class Model:
    """A model that this run asked, or the paper alone (`is_ours` is false), as printed.

    `shutdown` is the first day (ISO 8601) on which it no longer answers; null where none is
    announced, and `no_shutdown` says what is known instead.
    """

    name: str
    is_ours: bool
    use: str
    calls: str
    tokens: str
    cost: str
    shutdown: str | None
    no_shutdown: str
    substitute: str


@dataclass(frozen=True)
class Header:
    """The facts of a run; `commit` is null in the page that the stage writes."""

    profile: str
    commit: Commit | None
    cost: str
    logs: Sequence[Log]
    models: Sequence[Model]


def describe_run(inputs: Inputs, commit: Commit | None) -> Header:
    """The facts below the page's title."""
    calls = inputs.metrics["summarize_calls"]
    asked = _list_asked(calls)
    known = {drop_day(name) for name in asked}
    ours = [_describe_model(inputs.catalog, name, stages) for name, stages in asked.items()]
    paper = [
        _join(inputs.catalog, name, False, use, ("–", "–", "–"))
        for name, use in PAPER_MODELS.items()
        if name not in known
    ]
    cost = _tell_cost(calls["total"])
    return Header(inputs.axes.profile, commit, cost, list(_list_logs(inputs)), [*ours, *paper])


def _list_logs(inputs: Inputs) -> Iterator[Log]:
    for corpus in inputs.axes.corpora:
        counts = inputs.metrics["ingest"][corpus]
        yield Log(corpus, counts["rows"], counts["kept"], inputs.dates[corpus])


def _list_asked(calls: Mapping[str, Asked]) -> Mapping[str, Asked]:
    """For each model the stages that asked it, with their counts."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for stage, models in calls.items():
        if stage != "total":
            for name, counts in models.items():
                found.setdefault(name, {})[stage] = counts
    return found


def _describe_model(catalog: Mapping[str, ModelFacts], name: str, stages: Asked) -> Model:
    cells = list(stages.values())
    calls, uncounted = (sum(cell[key] for cell in cells) for key in ("calls", "uncounted"))
    tokens = sum(cell["prompt_tokens"] + cell["completion_tokens"] for cell in cells)
    told = f"{tokens:,}" if tokens or not uncounted else "not counted"
    if tokens and uncounted:
        told += f", {_count_calls(uncounted)} not counted"
    known = [cell["usd"] for cell in cells if cell["usd"] is not None]
    cost = _print_dollars(sum(known)) if known else "not priced"
    if known and (unpriced := sum(cell["calls"] for cell in cells if cell["usd"] is None)):
        cost += f", {_count_calls(unpriced)} not priced"
    return _join(catalog, name, True, ", ".join(stages), (f"{calls:,}", told, cost))


def _join(
    catalog: Mapping[str, ModelFacts],
    name: str,
    is_ours: bool,
    use: str,
    counts: tuple[str, str, str],
) -> Model:
    facts = catalog.get(name) or catalog.get(drop_day(name))
    if facts:
        unknown = "none announced"
    else:
        unknown = "runs here" if name.startswith(LOCAL) else "not in the catalog"
    shutdown = facts.shutdown.isoformat() if facts and facts.shutdown else None
    instead = (facts and facts.substitute) or ("none known" if shutdown else "–")
    return Model(name, is_ours, use, *counts, shutdown, unknown, instead)


def _tell_cost(total: Mapping[str, Any]) -> str:
    calls, unpriced = total["calls"], total["calls_without_usd"]
    if not calls:
        return "no model was asked"
    if total["usd"] is None:
        return f"not known: none of {_count_calls(calls)} has a price"
    told = f"{_print_dollars(total['usd'])} at list price, {_count_calls(calls)}"
    return f"{told}; {unpriced:,} of them have no price" if unpriced else told


def _count_calls(number: int) -> str:
    return f"{number:,} call{'s' * (number != 1)}"


def _print_dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.01 or not amount else f"${amount:.2g}"
