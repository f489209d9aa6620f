"""Refusals among the replies: clusters of reply embeddings, and those of them that refuse.

Source: paper section 4, "Impact of Model Refusals".
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feedback_lens.analysis.refusal_exemplars import ANSWERING, REFUSING
from feedback_lens.analysis.refusal_phrases import says_refusal
from feedback_lens.feedback.local.embedding import embed

REFUSALS = pa.schema(
    [
        ("split", pa.string()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("cluster", pa.int32()),
        ("refusal", pa.bool_()),
        ("lexical_refusal", pa.bool_()),
    ]
)
REFUSAL_CLUSTERS = pa.schema(
    [
        ("cluster", pa.int32()),
        ("replies", pa.int32()),
        ("score", pa.float64()),
        ("refusal", pa.bool_()),
        ("lexical_share", pa.float64()),
        ("rank", pa.int32()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("reply", pa.string()),
    ]
)
_KEY = REFUSALS.names[:3]
_REGULARIZATION = 10.0  # C; from 0.1 to 100 replies are ranked alike, and 0.6 means the most here
Vectors = npt.NDArray[np.floating[Any]]
Members = npt.NDArray[np.integer[Any]]  # the cluster of each reply
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class RefusalRule:
    """How replies are clustered, and which clusters refuse.

    `opening`: characters of a reply that are read, as a refusal stands at the beginning.
    `clusters`: of k-means. `stretch`: how much longer the embeddings are made along the direction
    from answers to refusals before they are clustered; at 0 the clusters are topics.
    `threshold`: of a cluster's score. `seed`: of k-means.
    """

    opening: int
    clusters: int
    stretch: float
    threshold: float
    seed: int


def find_refusals(
    rows: Rows, rule: RefusalRule, shown: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Mark the replies m_i (rows of `SPLITS`) that refuse, and show the clusters.

    A logistic regression on the embeddings of `REFUSING` and `ANSWERING` finds the direction. A
    cluster's score, 0 to 1, is that model's probability of a refusal at the mean of the logits of
    its replies; it refuses from `rule.threshold` on. `lexical_refusal` is the check beside it, a
    refusing phrase in the opening.

    Returns:
        Rows of `REFUSALS`; and rows of `REFUSAL_CLUSTERS`, for each cluster its `shown` different
        replies nearest to the center. Clusters are numbered by falling score.
    """
    if not rows:
        return [], []
    openings = [row["reply"][: rule.opening] for row in rows]
    members, scores, stretched = _score_clusters(embed(openings, "embed replies"), rule)
    lexical = [says_refusal(opening) for opening in openings]
    marked = [
        {
            **{name: row[name] for name in _KEY},
            "cluster": cluster,
            "refusal": scores[cluster] >= rule.threshold,
            "lexical_refusal": phrase,
        }
        for row, cluster, phrase in zip(rows, members.tolist(), lexical, strict=True)
    ]
    shown_rows = [
        {**facts, **reply}
        for facts in _describe(members, scores, lexical, rule.threshold)
        for reply in _show_nearest(
            rows, stretched, np.flatnonzero(members == facts["cluster"]), shown
        )
    ]
    return marked, shown_rows


def _score_clusters(vectors: Vectors, rule: RefusalRule) -> tuple[Members, list[float], Vectors]:
    """The cluster of each reply, the score of each cluster, and the vectors as clustered."""
    weights, bias = _fit_direction()
    logits = vectors @ weights + bias
    axis = weights / np.linalg.norm(weights)
    stretched = vectors + rule.stretch * np.outer(vectors @ axis, axis)
    members = _number_by_mean(_cluster(stretched, rule.clusters, rule.seed), logits)
    means = [float(logits[members == number].mean()) for number in range(members.max() + 1)]
    return members, [1 / (1 + math.exp(-mean)) for mean in means], stretched


def _describe(
    members: Members, scores: Sequence[float], lexical: Sequence[bool], threshold: float
) -> Iterator[dict[str, Any]]:
    phrases = np.array(lexical)
    for number, score in enumerate(scores):
        yield {
            "cluster": number,
            "replies": int((members == number).sum()),
            "score": score,
            "refusal": score >= threshold,
            "lexical_share": float(phrases[members == number].mean()),
        }


@cache
def _fit_direction() -> tuple[Vectors, float]:
    """Weights and intercept of the model that tells refusing exemplars from answering ones."""
    from sklearn.linear_model import LogisticRegression

    vectors = embed([*REFUSING, *ANSWERING], "embed exemplars")
    refuses = np.repeat([1, 0], [len(REFUSING), len(ANSWERING)])
    model = LogisticRegression(C=_REGULARIZATION, max_iter=2000, class_weight="balanced")
    model.fit(vectors, refuses)
    return model.coef_[0], float(model.intercept_[0])


def _cluster(vectors: Vectors, clusters: int, seed: int) -> Members:
    from sklearn.cluster import KMeans

    distinct = len(np.unique(vectors, axis=0))
    model = KMeans(n_clusters=min(clusters, distinct), random_state=seed, n_init=4)
    members: Members = model.fit_predict(vectors)
    return members


def _number_by_mean(members: Members, logits: Vectors) -> Members:
    """The clusters numbered from 0 by falling mean logit."""
    numbers = np.unique(members)
    means = np.array([logits[members == number].mean() for number in numbers])
    places = np.empty(numbers.max() + 1, dtype=np.int64)
    places[numbers[np.argsort(-means, kind="stable")]] = np.arange(len(numbers))
    return places[members]


def _show_nearest(
    rows: Rows, vectors: Vectors, indices: Members, shown: int
) -> Iterator[dict[str, Any]]:
    """The replies nearest to the center of these rows; one of equal replies stands for all."""
    distances = np.linalg.norm(vectors[indices] - vectors[indices].mean(axis=0), axis=1)
    nearest = {rows[i]["reply"]: i for i in reversed(indices[np.argsort(distances, kind="stable")])}
    for rank, index in enumerate(list(nearest.values())[::-1][:shown], start=1):
        row = rows[index]
        yield {"rank": rank, **{name: row[name] for name in (*_KEY[1:], "reply")}}
