"""How far annotators agree: Cohen's kappa of each two on the turns that both labeled."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from feedback_lens.analysis.intervals import Interval
from feedback_lens.annotation.annotators import Labels
from feedback_lens.feedback.agreement import measure_agreement
from feedback_lens.feedback.gold.annotators import reduce_gold


@dataclass(frozen=True)
class Agreement:
    """Kappa and its 95% interval by granularity, over the `turns` that both annotators labeled.

    Kappa is null where there is no such turn, or both use one and the same label throughout.
    """

    first: str
    second: str
    turns: int
    kappas: Mapping[str, tuple[float | None, Interval]]


def compare_annotators(
    annotators: Mapping[str, Labels], resamples: int, seed: int
) -> list[Agreement]:
    """The agreement of each pair; several labels of a turn are reduced to one first.

    Source: paper section 3.2.
    """
    return [
        _compare(pair, annotators, resamples, seed) for pair in combinations(sorted(annotators), 2)
    ]


def _compare(
    pair: tuple[str, str], annotators: Mapping[str, Labels], resamples: int, seed: int
) -> Agreement:
    one, other = (reduce_gold(annotators[name]) for name in pair)
    keys = sorted(one.keys() & other.keys())
    measured = measure_agreement(
        [one[key] for key in keys],
        [other[key] for key in keys],
        [identifier for identifier, _ in keys],
        resamples,
        seed,
    )
    kappas = {
        granularity: (found["kappa"], (found["low"], found["high"]))
        for granularity, found in measured.items()
    }
    return Agreement(*pair, len(keys), kappas)
