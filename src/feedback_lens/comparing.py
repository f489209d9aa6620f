"""What changed between two states of the project, and whether chance alone may have done it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import hypot, isfinite, sqrt
from typing import Any

from feedback_lens.figures import Figure, list_figures

Name = tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """A figure that differs between two states."""

    name: Name
    before: Figure
    after: Figure

    @property
    def difference(self) -> float | None:
        """After less before; null where one of them is no finite number."""
        numbers = (self.before.value, self.after.value)
        if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
            return None
        difference: float = numbers[1] - numbers[0]
        return difference if isfinite(difference) else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true difference lies at 95%; null where nothing tells.

        Of means over n and m seeds with the sample standard deviations s and t: the difference and
        Welch's t-quantile times sqrt(s^2 / n + t^2 / m) to either side. Of other figures with 95%
        intervals: to either side the root of the summed squares of the two arms that face each
        other, which is Newcombe's interval where theirs are Wilson's of shares. Both take the
        states as independent; where they share data, the true interval is narrower.

        Source: Welch 1947; Newcombe 1998, Zou and Donner 2008 (square-and-add interval).
        """
        arms = self._measure_arms()
        if arms is None or self.difference is None:
            return None
        below, above = arms
        return self.difference - below, self.difference + above

    @property
    def margin(self) -> float | None:
        """How large a difference chance alone explains: the arm of the interval towards zero.

        A difference beyond it is one whose interval leaves out zero; null where nothing tells.
        """
        arms = self._measure_arms()
        if arms is None or self.difference is None:
            return None
        below, above = arms
        return below if self.difference > 0 else above

    def _measure_arms(self) -> tuple[float, float] | None:
        if self.difference is None:
            return None
        if self.before.spread is not None and self.after.spread is not None:
            margin = _margin_of_means(self.before, self.after)
            arms = None if margin is None else (margin, margin)
        else:
            arms = _add_arms(self.before, self.after)
        return arms if arms is not None and all(map(isfinite, arms)) else None

    @property
    def verdict(self) -> str:
        """`within` the margin, `beyond` it, or `unknown`: also where the margin is zero.

        No spread at all (seeds that agree, an interval from 1 to 1) says that the sample was too
        small to show one, not that chance does nothing.
        """
        if not self.margin or self.difference is None:
            return "unknown"
        return "within" if abs(self.difference) <= self.margin else "beyond"


def _margin_of_means(before: Figure, after: Figure) -> float | None:
    from scipy.special import stdtrit

    if before.spread is None or after.spread is None or not before.seeds or not after.seeds:
        return None
    if min(before.seeds, after.seeds) < 2:
        return None
    one, other = before.spread**2 / before.seeds, after.spread**2 / after.seeds
    if one + other == 0:
        return 0.0
    freedom = (one + other) ** 2 / (one**2 / (before.seeds - 1) + other**2 / (after.seeds - 1))
    return float(stdtrit(freedom, 0.975)) * sqrt(one + other)


def _add_arms(before: Figure, after: Figure) -> tuple[float, float] | None:
    first, second = _list_arms(before), _list_arms(after)
    if first is None or second is None:
        return None
    return hypot(second[0], first[1]), hypot(second[1], first[0])


def _list_arms(figure: Figure) -> tuple[float, float] | None:
    """How far the interval of a figure reaches below and above it; of a mean over seeds, t's."""
    from scipy.special import stdtrit

    if figure.low is not None and figure.high is not None:
        return figure.value - figure.low, figure.high - figure.value
    if figure.spread is None or figure.seeds is None or figure.seeds < 2:
        return None
    arm = float(stdtrit(figure.seeds - 1, 0.975)) * figure.spread / sqrt(figure.seeds)
    return arm, arm


@dataclass(frozen=True)
class Comparison:
    """Figures that changed, the number of those that did not, and what only one state has.

    What one state lacks is named by the shortest name that the other has nothing under, such as
    `feedback, wildchat` for a corpus that was taken out.
    """

    changed: tuple[Difference, ...]
    unchanged: int
    only_before: tuple[Name, ...]
    only_after: tuple[Name, ...]


def compare_figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Compare metrics by name; a difference in the bounds alone is no change."""
    old, new = dict(list_figures(before)), dict(list_figures(after))
    both = [name for name in old if name in new]
    pairs = (Difference(name, old[name], new[name]) for name in both)
    changed = tuple(pair for pair in pairs if _differ(pair.before.value, pair.after.value))
    only = (_lacking(before, after), _lacking(after, before))
    return Comparison(changed, len(both) - len(changed), *only)


def _differ(before: Any, after: Any) -> bool:
    both_nan = before != before and after != after
    return bool(before != after) and not both_nan


def _lacking(content: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Name, ...]:
    figures = {name for name, _ in list_figures(other)}
    names = (*figures, *_list_empty(other))
    known = {name[:length] for name in names for length in range(len(name) + 1)}
    # a figure that has become a mapping is lacking, though its name is known
    missing = [name for name, _ in list_figures(content) if name not in figures]
    missing += [name for name in _list_empty(content) if name not in known]
    lengths = ((name, range(1, len(name))) for name in missing)
    shortest = (
        next((name[:length] for length in range_ if name[:length] not in known), name)
        for name, range_ in lengths
    )
    return tuple(dict.fromkeys(shortest))


def _list_empty(content: Mapping[str, Any], name: Name = ()) -> Iterator[Name]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _list_empty(value, (*name, key)) if value else [(*name, key)]
