"""Replies that refuse: rates by two methods, their agreement, and the clusters they rest on."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedback_lens.report.inputs import Inputs
from feedback_lens.report.names import BESIDE, SPLITS, absent, list_corpora, name_corpus
from feedback_lens.report.tables.causes import OTHER_METHOD
from feedback_lens.report.tables.reasons import about_data, about_labels, explain
from feedback_lens.report.tables.rows import Reason, Row, Table, compare
from feedback_lens.report.tables.values import (
    DASH,
    Value,
    ours,
    ours_with_interval,
    percent,
    probability,
    reported,
)

METHODS = {"by cluster": "refusal", "by phrase": "lexical_refusal"}
AGREEMENT = ("both", "only_cluster", "only_phrase", "neither")
SHOWN = 200  # characters of a reply
ANSWERING = 3  # clusters that do not refuse, next to those that do


def list_refusal_tables(inputs: Inputs) -> list[Table]:
    """The refusal rates, and the clusters of replies."""
    return [_compare_refusals(inputs), _show_clusters(inputs)]


def _compare_refusals(inputs: Inputs) -> Table:
    rows: list[Row] = []
    for corpus in list_corpora(inputs.axes):
        paper = inputs.published["refusal_rate_percent"].get(corpus)
        metrics = inputs.metrics["find_refusals"].get(corpus)
        found = _list_rates(metrics) if metrics else {}
        published = [reported(paper)] * len(SPLITS) if paper else None
        rows.append(compare(name_corpus(corpus), published, found, absent(corpus)))
        if metrics:
            rows.append(compare(f"{corpus}, in detail {BESIDE}", None, _list_details(metrics)))
    return Table(
        "Refusals",
        "Replies that refuse",
        "percent of replies, with a 95% interval, by cluster of their embeddings and by a refusing "
        "phrase; agreement: both / cluster only / phrase only / neither; p of Fisher's exact test",
        tuple(SPLITS.values()),
        tuple(rows),
        explain(
            about_data(inputs.axes, inputs.axes.corpora),
            Reason("other embeddings and clusters; the paper gives bounds", (OTHER_METHOD,)),
            about_labels(inputs),
        ),
    )


def _list_rates(metrics: Mapping[str, Any]) -> dict[str, list[Value]]:
    return {
        f"ours, {label}": [
            ours_with_interval(
                [percent(metrics[split][f"{name}_{part}"]) for part in ("rate", "low", "high")], 1
            )
            for split in SPLITS
        ]
        for label, name in METHODS.items()
    }


def _list_details(metrics: Mapping[str, Any]) -> dict[str, list[Value]]:
    groups, tests = [metrics[split] for split in SPLITS], metrics["tests"]
    against = [tests.get(f"{split}_vs_rand", {}) for split in SPLITS]
    return {
        "replies": [ours(group["n"], 0) for group in groups],
        "agreement of the two": [_describe_agreement(group["agreement"]) for group in groups],
        "kappa of the two": [ours(group["agreement"]["kappa"], 2) for group in groups],
        **{
            f"p against random, {label}": [
                probability(test[f"{name}_p"]) if test else DASH for test in against
            ]
            for label, name in METHODS.items()
        },
    }


def _describe_agreement(agreement: Mapping[str, int]) -> Value:
    return Value(None, " / ".join(str(agreement[name]) for name in AGREEMENT))


def _show_clusters(inputs: Inputs) -> Table:
    return Table(
        "Refusal clusters",
        f"The clusters of replies that refuse, and those next to them {BESIDE}",
        "score: probability of a refusal at the cluster's mean, 0 to 1; phrase: percent of the "
        f"replies with a refusing phrase; of a reply the first {SHOWN} characters",
        ("replies", "score", "phrase", "reply nearest to the center"),
        tuple(_list_clusters(inputs)),
        prose=1,
    )


def _list_clusters(inputs: Inputs) -> Iterator[Row]:
    for corpus, clusters in inputs.clusters.items():
        refusing = sum(row["refusal"] for row in clusters)
        shown = clusters[: refusing + ANSWERING]
        found = {
            f"{row['cluster']}: {'refuses' if row['refusal'] else 'answers'}": [
                ours(row["replies"], 0),
                ours(row["score"], 2),
                ours(percent(row["lexical_share"]), 0),
                Value(None, _shorten(row["reply"])),
            ]
            for row in shown
        }
        name = f"{corpus} ({len(shown)} of {len(clusters)} clusters)"
        yield compare(name, None, found, "no reply in the splits")


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN].rstrip()}…"
