"""Lines of the plan: what the cells of a stage ask of a model, and what that would come to."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from feedback_lens.calls.catalog import ModelFacts
from feedback_lens.planning.cost import NOTHING, Cost, Pace, cost_calls
from feedback_lens.planning.demands import Basis, CellDemand
from feedback_lens.planning.lengths import Length, stand_in
from feedback_lens.planning.rates import Rates


@dataclass(frozen=True)
class Line:
    """What the cells of one stage ask of one model, on one basis.

    `kept` replies are in store or snapshot (null: unknown). `expected` is what the others would
    come to, with replies as long as those before, where there were enough; `at_most` with as many
    calls and as long replies as there can be. `estimate` is `expected`, or where the calls are not
    known what the most of them would come to, at the lengths seen so far or else at `stand_in`'s.
    A local model costs no dollars.
    """

    stage: str
    purpose: str
    model: str
    is_local: bool
    basis: Basis
    cells: tuple[str, ...]
    kept: int | None
    expected: Cost
    at_most: Cost
    estimate: Cost
    stand_in: Length | None
    troubles: tuple[str, ...]


@dataclass(frozen=True)
class Measures:
    """What the estimates rest on: rates by purpose and model, facts of a model, and the pace.

    `seconds_per_call` holds where the ledger has none of the model.
    """

    rates: Callable[[str, str], Rates]
    facts: Callable[[str], ModelFacts]
    pace: Pace
    seconds_per_call: float


def make_lines(demands: Iterable[CellDemand], measures: Measures) -> list[Line]:
    """The lines of the demands, one a stage, model and basis, in the order of the demands."""
    groups: defaultdict[tuple[str, str, Basis], list[CellDemand]] = defaultdict(list)
    for demand in demands:
        groups[demand.cell.stage, demand.model, demand.basis].append(demand)
    lines = []
    for (stage, model, _), members in groups.items():
        alike = (
            d for (s, m, _), found in groups.items() if (s, m) == (stage, model) for d in found
        )
        lines.append(_make_line(members, _measure_length(alike), measures))
    return lines


def _measure_length(demands: Iterable[CellDemand]) -> float | None:
    """Mean characters of the prompts that are known; null where none is."""
    known = [d for d in demands if d.calls and d.prompt_characters]
    characters = sum(d.prompt_characters or 0 for d in known)
    return characters / sum(d.calls or 0 for d in known) if known else None


class _Costs(NamedTuple):
    """The costs of a line, by their names there."""

    expected: Cost
    at_most: Cost
    estimate: Cost
    stand_in: Length | None


def _make_line(demands: Sequence[CellDemand], length: float | None, measures: Measures) -> Line:
    first = demands[0]
    costs = _cost_local(demands) if first.is_local else _cost(demands, length, measures)
    return Line(
        stage=first.cell.stage,
        purpose=first.purpose,
        model=first.model,
        is_local=first.is_local,
        basis=first.basis,
        cells=tuple(demand.cell.name for demand in demands),
        kept=_add(demand.kept for demand in demands),
        **costs._asdict(),
        troubles=tuple(sorted({d.trouble for d in demands if d.trouble})),
    )


def _cost(demands: Sequence[CellDemand], length: float | None, measures: Measures) -> _Costs:
    """What the demands of a line come to at a provider."""
    first = demands[0]
    calls, most_calls = _add(d.calls for d in demands), _add(d.most_calls for d in demands)
    rates, facts = measures.rates(first.purpose, first.model), measures.facts(first.model)
    seconds = rates.seconds or measures.seconds_per_call
    length = _measure_length(demands) or length
    prompt = rates.prompt_tokens if length is None else length * rates.tokens_a_character
    reply, longest = rates.completion_tokens, first.most_completion_tokens

    def cost(number: int | None, prompt_tokens: float | None, reply_tokens: float | None) -> Cost:
        tokens = (_times(number, prompt_tokens), _times(number, reply_tokens))
        return cost_calls(number, *tokens, facts, measures.pace, seconds)

    expected, at_most = cost(calls, prompt, reply or longest), cost(most_calls, prompt, longest)
    if calls is not None:
        return _Costs(expected, at_most, expected, None)
    assumed = None if prompt and reply else stand_in(_add_kinds(demands))
    if assumed is None:
        return _Costs(expected, at_most, cost(most_calls, prompt, reply or longest), None)
    assumed_reply = min(assumed.reply, longest or assumed.reply)
    estimate = cost(most_calls, prompt or assumed.prompt, reply or assumed_reply)
    return _Costs(expected, at_most, estimate, assumed)


def _add_kinds(demands: Iterable[CellDemand]) -> Counter[str]:
    return sum((Counter(demand.kinds) for demand in demands), Counter())


def _cost_local(demands: Sequence[CellDemand]) -> _Costs:
    calls, most_calls = _add(d.calls for d in demands), _add(d.most_calls for d in demands)
    expected, at_most = (
        Cost(number, usd=0.0, batch_usd=0.0) if number != 0 else NOTHING
        for number in (calls, most_calls)
    )
    return _Costs(expected, at_most, at_most if calls is None else expected, None)


def add_costs(costs: Sequence[Cost]) -> Cost:
    """The sum of what is known of each."""
    return Cost(
        sum(cost.calls or 0 for cost in costs),
        sum(cost.prompt_tokens or 0 for cost in costs),
        sum(cost.completion_tokens or 0 for cost in costs),
        sum(cost.usd or 0.0 for cost in costs),
        sum(cost.batch_usd or 0.0 for cost in costs),
        sum(cost.hours or 0.0 for cost in costs),
    )


def _add(numbers: Iterable[int | None]) -> int | None:
    found = list(numbers)
    return None if None in found else sum(number or 0 for number in found)


def _times(number: int | None, each: float | None) -> float | None:
    return None if number is None or each is None else number * each
