"""What the figures of a plan rest on, in words."""

from collections.abc import Iterator

from feedback_lens.planning.lines import Line
from feedback_lens.planning.plan import Plan
from feedback_lens.planning.rates import Rates

EXPLANATIONS = {
    "present_inputs": "~  by the present inputs: a stage before it runs first and may change them",
    "parameters": "<  its inputs are not there yet: a bound by the parameters",
}
ESTIMATED = "*  what so many calls as there can be would come to, at the lengths below"


def explain(plan: Plan) -> Iterator[str]:
    """The lines below the table."""
    bases = {line.basis for line in plan.lines if line.at_most.calls != 0}
    yield from (words for basis, words in EXPLANATIONS.items() if basis in bases)
    if any(line.estimate != line.expected for line in plan.lines):
        yield ESTIMATED
    yield "Max USD: with replies of max_tokens. New draws for unreadable replies come on top."
    yield from _explain_rates(plan)
    pace = plan.pace
    limits = {"requests": pace.requests_per_minute, "tokens": pace.tokens_per_minute}
    set_limits = "".join(f", {limit:g} {name} a minute" for name, limit in limits.items() if limit)
    yield f"Hours: {pace.concurrency} calls at once{set_limits}; a batch takes up to 24."
    yield f"List prices of {plan.prices_of}; provider: {plan.pace.provider}."


def _explain_rates(plan: Plan) -> Iterator[str]:
    asked = {
        (line.purpose, line.model)
        for line in plan.lines
        if line.at_most.calls != 0 and line.stand_in is None
    }
    alike: dict[str, list[str]] = {}
    for stage, model in sorted(asked & plan.rates.keys()):
        words = _describe(plan.rates[stage, model], plan.seconds_per_call)
        alike.setdefault(words, []).append(f"{stage} ({model})")
    yield from (f"{', '.join(names)}: {words}" for words, names in alike.items())
    for line in plan.lines:
        if line.stand_in is not None and line.estimate.calls:
            yield _describe_estimate(line, line.estimate.calls, plan)


def _describe_estimate(line: Line, calls: int, plan: Plan) -> str:
    prompt = (line.estimate.prompt_tokens or 0) / calls
    reply = (line.estimate.completion_tokens or 0) / calls
    took = _describe_seconds(plan.rates[line.purpose, line.model], plan.seconds_per_call)
    return (
        f"{line.stage} ({line.model}): prompts of {prompt:,.0f} tokens, replies of {reply:,.0f}, "
        f"{took} a call; what is not measured yet has a stand-in (docs/cost.md)"
    )


def _describe(rates: Rates, seconds_per_call: float) -> str:
    basis = f"as in {rates.answers} answers" if rates.answers else "assumed"
    reply = rates.completion_tokens
    length = "of max_tokens (too few to go by)" if reply is None else f"of {reply:.0f} tokens"
    characters = f"{1 / rates.tokens_a_character:.1f} characters a token ({basis})"
    return f"{characters}, replies {length}, {_describe_seconds(rates, seconds_per_call)} a call"


def _describe_seconds(rates: Rates, seconds_per_call: float) -> str:
    return f"{rates.seconds:.1f} s" if rates.seconds else f"{seconds_per_call:g} s (assumed)"
