"""The plan as a table for a terminal, and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from feedback_lens.planning.cost import Cost
from feedback_lens.planning.lines import Line, add_costs
from feedback_lens.planning.plan import Plan
from feedback_lens.planning.rates import Rates

MARKS = {"exact": "", "present_inputs": " ~", "parameters": " <"}
HEAD = (
    *("stage", "model", "kept", "calls", "max calls", "prompt tok.", "reply tok."),
    *("USD", "max USD", "batch USD", "hours"),
)
EXPLANATIONS = {
    "present_inputs": "~  by the present inputs: a stage before it runs first and may change them",
    "parameters": "<  its inputs are not there yet: a bound by the parameters",
}


def show_plan(plan: Plan) -> Iterator[str]:
    """The lines of the text that `feedback-lens plan` prints."""
    if plan.lines:
        yield from _align([HEAD, *map(_cells, plan.lines), _total(plan.lines)])
        yield ""
    yield from _conclude(plan)
    if any(line.at_most.calls != 0 for line in plan.lines):
        yield from _explain(plan)
    if plan.warnings:
        yield ""
        yield from (f"! {warning}" for warning in plan.warnings)


def _cells(line: Line) -> tuple[str, ...]:
    model = f"{line.model} (local)" if line.is_local else line.model
    return (
        line.stage + MARKS[line.basis],
        model,
        _count(line.kept),
        *_show_costs(line.expected, line.at_most),
    )


def _total(lines: Sequence[Line]) -> tuple[str, ...]:
    expected, at_most = map(add_costs, _costs_of(lines))
    sums = (_count(sum(line.kept or 0 for line in lines)), *_show_costs(expected, at_most))
    columns = list(zip(*map(_cells, lines), strict=True))[2:]
    return ("total", "", *map(_show_sum, sums, columns))


def _show_sum(word: str, column: Sequence[str]) -> str:
    """A sum of what is known of a column, marked where that is not all."""
    if "?" not in column:
        return word
    return f"{word}+?" if set(column) - {"?", "0", "0.00"} else "?"


def _costs_of(lines: Sequence[Line]) -> tuple[list[Cost], list[Cost]]:
    return [line.expected for line in lines], [line.at_most for line in lines]


def _show_costs(expected: Cost, at_most: Cost) -> tuple[str, ...]:
    return (
        _count(expected.calls),
        _count(at_most.calls),
        _count(expected.prompt_tokens),
        _count(expected.completion_tokens),
        _hundredths(expected.usd),
        _hundredths(at_most.usd),
        _hundredths(expected.batch_usd),
        _hundredths(expected.hours),
    )


def _conclude(plan: Plan) -> Iterator[str]:
    calls = [line.expected.calls for line in plan.lines]
    if not plan.lines:
        yield "Nothing to ask: every stage that asks a model is up to date."
    elif not any(line.at_most.calls != 0 for line in plan.lines):
        yield "Nothing to pay: every reply that is asked for is recorded."
    elif None in calls:
        yield "What is marked ? is not known yet."
    if plan.settled and plan.lines:
        yield f"Not in the table, as up to date or in DVC's cache: {len(plan.settled)} cells."
    if plan.answers is None:
        yield "The answers to the benchmarks cannot be counted yet; models in process write them."
    elif plan.answers:
        yield f"Models in process would write up to {plan.answers:,} answers to the benchmarks."
    if plan.first:
        yield f"To know more exactly, run first (nothing to pay): dvc repro {' '.join(plan.first)}"


def _explain(plan: Plan) -> Iterator[str]:
    bases = {line.basis for line in plan.lines if line.at_most.calls != 0}
    yield from (words for basis, words in EXPLANATIONS.items() if basis in bases)
    yield "Max USD: with replies of max_tokens. New draws for unreadable replies come on top."
    yield from _explain_rates(plan)
    pace = plan.pace
    limits = {"requests": pace.requests_per_minute, "tokens": pace.tokens_per_minute}
    set_limits = "".join(f", {limit:g} {name} a minute" for name, limit in limits.items() if limit)
    yield f"Hours: {pace.concurrency} calls at once{set_limits}; a batch takes up to 24."
    yield f"List prices of {plan.prices_of}; provider: {plan.pace.provider}."


def _explain_rates(plan: Plan) -> Iterator[str]:
    asked = {(line.purpose, line.model) for line in plan.lines if line.at_most.calls != 0}
    alike: dict[str, list[str]] = {}
    for stage, model in sorted(asked & plan.rates.keys()):
        words = _describe(plan.rates[stage, model], plan.seconds_per_call)
        alike.setdefault(words, []).append(f"{stage} ({model})")
    yield from (f"{', '.join(names)}: {words}" for words, names in alike.items())


def _describe(rates: Rates, seconds_per_call: float) -> str:
    basis = f"as in {rates.answers} answers" if rates.answers else "assumed"
    reply = rates.completion_tokens
    length = "of max_tokens (too few to go by)" if reply is None else f"of {reply:.0f} tokens"
    took = f"{rates.seconds:.1f} s" if rates.seconds else f"{seconds_per_call:g} s (assumed)"
    characters = f"{1 / rates.tokens_a_character:.1f} characters a token ({basis})"
    return f"{characters}, replies {length}, {took} a call"


def _align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        words = [
            word.ljust(width) if index < 2 else word.rjust(width)
            for index, (word, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(words).rstrip()


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _hundredths(amount: float | None) -> str:
    if amount is None:
        return "?"
    return "<0.01" if 0 < amount < 0.01 else f"{amount:,.2f}"


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON; null is unknown, and `total` sums up what is known."""
    expected, at_most = _costs_of(plan.lines)
    lines = [
        {name: value for name, value in asdict(line).items() if name != "troubles"}
        for line in plan.lines
    ]
    return {
        "stages": lines,
        "total": {
            "expected": asdict(add_costs(expected)),
            "at_most": asdict(add_costs(at_most)),
            "is_complete": not any(cost.usd is None for cost in (*expected, *at_most)),
        },
        "settled": list(plan.settled),
        "local_answers": plan.answers,
        "run_first": list(plan.first),
        "warnings": list(plan.warnings),
        "pace": {**asdict(plan.pace), "seconds_per_call": plan.seconds_per_call},
        "prices_of": plan.prices_of.isoformat(),
        "rates": [
            {"purpose": purpose, "model": model, **asdict(rates)}
            for (purpose, model), rates in plan.rates.items()
        ],
    }
