"""How often replies refuse: rates per split with intervals, and whether the splits differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from feedback_lens.analysis.intervals import wilson_interval
from feedback_lens.analysis.rank_tests import correct_holm

SPLITS = ("neg", "pos", "rand")
METHODS = {"cluster": "refusal", "phrase": "lexical_refusal"}
RATE_POINTS = ("split", "method", "rate", "low", "high")
Rows = Sequence[Mapping[str, Any]]


def count_refusals(rows: Rows) -> dict[str, Any]:
    """Refusals of one corpus (rows of `REFUSALS`), by cluster and by phrase.

    By split and for `all` its replies: `n`; `refusal` and `lexical_refusal` (counts), each with
    its `_rate` and the 95% Wilson interval `_low`, `_high` (null for no rows); `agreement` of the
    two as counts (`both`, `only_cluster`, `only_phrase`, `neither`) and Cohen's `kappa` (null
    where both find none, or all). `tests`: Fisher's exact p that neg, pos and rand have one rate,
    and `_p_holm`, corrected over the two tests of a method.

    Source: paper section 4, the refusal rates of its six groups (split and corpus).
    """
    groups = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
    counts: dict[str, Any] = {name: _count(group) for name, group in groups.items()}
    return {
        **counts,
        "all": _count(rows),
        "tests": _test(counts),
    }


def list_rates(counts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Points of a plot (`RATE_POINTS`) from what `count_refusals` counted."""
    for split in SPLITS:
        for method, name in METHODS.items():
            values = {part: counts[split][f"{name}_{part}"] for part in ("rate", "low", "high")}
            yield {"split": split, "method": method, **values}


def _count(rows: Rows) -> dict[str, Any]:
    counts: dict[str, Any] = {"n": len(rows)}
    for name in METHODS.values():
        count = sum(row[name] for row in rows)
        rate = count / len(rows) if rows else None
        low, high = (None, None) if rate is None else wilson_interval(rate, len(rows))
        counts |= {name: count, f"{name}_rate": rate, f"{name}_low": low, f"{name}_high": high}
    return {**counts, "agreement": _compare(rows)}


def _compare(rows: Rows) -> dict[str, Any]:
    pairs = [(bool(row["refusal"]), bool(row["lexical_refusal"])) for row in rows]
    names = {
        "both": (True, True),
        "only_cluster": (True, False),
        "only_phrase": (False, True),
        "neither": (False, False),
    }
    return {**{name: pairs.count(pair) for name, pair in names.items()}, "kappa": _kappa(pairs)}


def _kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    if len({found for pair in pairs for found in pair}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(*zip(*pairs, strict=True)))


def _test(counts: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    tests: dict[str, dict[str, float | None]] = {"neg_vs_rand": {}, "pos_vs_rand": {}}
    for name in METHODS.values():
        ps = {
            f"{split}_vs_rand": _test_equal(counts[split], counts["rand"], name)
            for split in ("neg", "pos")
        }
        corrected = correct_holm(ps)
        for pair, p in ps.items():
            tests[pair] |= {f"{name}_p": p, f"{name}_p_holm": corrected[pair]}
    return tests


def _test_equal(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> float | None:
    """Fisher's exact two-sided p; null where a group is empty. Replies in both count as two."""
    if not one["n"] or not other["n"]:
        return None
    from scipy.stats import fisher_exact

    table = np.array([[group[name], group["n"] - group[name]] for group in (one, other)])
    return float(fisher_exact(table).pvalue)
