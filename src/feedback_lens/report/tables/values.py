"""Figures as the report prints them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from feedback_lens.analysis.intervals import wilson_interval

MINUS = "\N{MINUS SIGN}"
UNREADABLE = "unreadable in the source"
NO_VALUE = "no value"


@dataclass(frozen=True)
class Value:
    """One figure as it reads, and its number; null where there is nothing to subtract.

    `decimals` are those of a difference from it, `low` and `high` its 95% interval; a mean over
    `seeds` has their sample standard deviation as `spread`. `estimate` is false of what has no
    interval by its kind: sizes of the data, and p-values.
    """

    number: float | None
    text: str
    decimals: int = 0
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    seeds: int | None = None
    estimate: bool = True


BLANK = Value(None, "")
DASH = Value(None, "–")
NOT_RUN = Value(None, "not run")
DRAWN = Value(None, "drawn")


def ours(number: float | None, decimals: int) -> Value:
    """A figure of ours, rounded."""
    text = NO_VALUE if number is None else sign(f"{number:.{decimals}f}")
    return Value(number, text, decimals)


def size(number: int | None) -> Value:
    """A number of things, which is no estimate of anything."""
    return replace(ours(number, 0), estimate=False)


def ours_with_spread(
    number: float | None, spread: float | None, decimals: int, seeds: int | None = None
) -> Value:
    """A mean of ours over seeds and its standard deviation, where there is one."""
    value = ours(number, decimals)
    if number is None or spread is None:
        return replace(value, seeds=seeds)
    text = f"{value.text} ± {spread:.{decimals}f}"
    return Value(number, text, decimals, spread=spread, seeds=seeds)


def ours_with_interval(figures: Sequence[float | None], decimals: int) -> Value:
    """A figure of ours and its interval, where there is one; `figures` are value, low and high."""
    _, low, high = figures
    return replace(ours_with_quartiles(figures, decimals), low=low, high=high)


def ours_with_quartiles(figures: Sequence[float | None], decimals: int) -> Value:
    """A figure of ours and the quartiles about it, where there are some, as intervals read."""
    number, low, high = figures
    value, ends = ours(number, decimals), interval(low, high, decimals)
    return Value(number, f"{value.text} ({ends.text})", decimals) if ends.text else value


def interval(low: float | None, high: float | None, decimals: int) -> Value:
    """The ends of an interval; blank where there is none."""
    if low is None or high is None:
        return BLANK
    return Value(None, sign(f"{low:.{decimals}f} to {high:.{decimals}f}"))


def before_and_after(figures: Mapping[str, float | None], decimals: int) -> Value:
    """A figure of ours before and after something was done, the keys of `figures`."""
    before, after = (ours(figures[when], decimals) for when in ("before", "after"))
    return Value(after.number, f"{before.text} → {after.text}", decimals)


def share(part: int, whole: int, ends: Sequence[float | None] = (None, None)) -> Value:
    """A part of a whole; its number is the share in percent, with its interval where `ends` are."""
    if not whole:
        return Value(None, f"{part}/{whole}")
    percentage, (low, high) = 100 * part / whole, ends
    between = interval(low, high, 0).text
    text = f"{part}/{whole} ({percentage:.0f}%{between and f', {between}'})"
    return Value(percentage, text, 1, low, high)


def probability(number: float | None) -> Value:
    """A p-value, to three digits that count."""
    if number is None:
        return Value(None, NO_VALUE)
    return Value(number, "<.00001" if number < 1e-5 else f"{number:.3g}", 6, estimate=False)


def reported(content: Any, seeds: int | None = None) -> Value:
    """A figure of the paper as printed: a number, `[mean, spread]`, words, or null (unreadable).

    `seeds` are those of the paper's means.
    """
    if content is None:
        return Value(None, UNREADABLE)
    if isinstance(content, str):
        return Value(None, content, seeds=seeds)
    if isinstance(content, Sequence):
        mean, spread = content
        text = f"{_print(mean)} ± {_print(spread)}"
        return Value(mean, text, spread=spread, seeds=seeds)
    return Value(content, _print(content), seeds=seeds)


def reported_share(part: int, whole: int) -> Value:
    """A part of a whole that the paper prints, with Wilson's interval of independent turns."""
    low, high = wilson_interval(part / whole, whole)
    return replace(share(part, whole), low=100 * low, high=100 * high)


def reported_rate(percentage: float, trials: int) -> Value:
    """A percentage that the paper prints, with Wilson's interval of so many independent turns."""
    low, high = wilson_interval(percentage / 100, trials)
    return replace(reported(percentage), low=100 * low, high=100 * high)


def percent(number: float | None) -> float | None:
    """A share of 1 as a share of 100."""
    return None if number is None else 100 * number


def sign(text: str) -> str:
    """A number's text with a minus in the place of a hyphen."""
    return text.replace("-", MINUS)


def _print(number: float) -> str:
    return sign(format(Decimal(str(number)), "f"))
