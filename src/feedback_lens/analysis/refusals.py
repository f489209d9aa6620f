"""Refusals among the replies: clusters of reply embeddings, and the one that refuses.

Source: paper section 4, "Impact of Model Refusals".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feedback_lens.feedback.embedding import embed

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
# what a refusal says; its mean embedding is the direction that the clusters are told by
EXEMPLARS = (
    "I'm sorry, but I can't help with that request.",
    "As an AI language model, I cannot provide that information.",
    "I'm sorry, but I am not able to assist with that.",
    "I cannot fulfill this request, as it goes against my guidelines.",
)
_LEXICAL = re.compile(
    r"\b(i('m| am) (sorry|afraid)|as an ai|i apologi[sz]e)\b.{0,80}"
    r"\b(can('t|not)|unable|not able|won't|not comfortable|not appropriate)\b"
    r"|\bi (can('t|not)|am unable to|won't) (help|assist|provide|fulfil|comply|do that)",
    re.IGNORECASE | re.DOTALL,
)


def find_refusals(
    rows: Sequence[Mapping[str, Any]], clusters: int, threshold: float, seed: int
) -> list[dict[str, Any]]:
    """Mark the replies m_i (rows of `SPLITS`) that refuse; rows follow `REFUSALS`.

    Replies are clustered by k-means over their embeddings; a cluster refuses where the cosine of
    its center with the mean of `EXEMPLARS` is at least `threshold`. `lexical_refusal` is the
    check beside it: a refusing phrase in the reply's first 200 characters.
    """
    replies = [row["reply"] for row in rows]
    vectors = embed(replies, "embed replies")
    members = _cluster(vectors, clusters, seed)
    refusing = _refusing_clusters(vectors, members, threshold)
    return [
        {
            **{name: row[name] for name in REFUSALS.names[:3]},
            "cluster": int(cluster),
            "refusal": int(cluster) in refusing,
            "lexical_refusal": bool(_LEXICAL.search(row["reply"][:200])),
        }
        for row, cluster in zip(rows, members, strict=True)
    ]


def _cluster(vectors: npt.NDArray[np.float32], clusters: int, seed: int) -> npt.NDArray[np.int32]:
    from sklearn.cluster import KMeans

    distinct = len(np.unique(vectors, axis=0))
    if distinct == 0:
        return np.zeros(0, dtype=np.int32)
    model = KMeans(n_clusters=min(clusters, distinct), random_state=seed, n_init=4)
    members: npt.NDArray[np.int32] = model.fit_predict(vectors)
    return members


def _refusing_clusters(
    vectors: npt.NDArray[np.float32], members: npt.NDArray[np.int32], threshold: float
) -> set[int]:
    direction = _unit(embed(EXEMPLARS, "embed exemplars").mean(axis=0))
    return {
        int(cluster)
        for cluster in np.unique(members)
        if float(_unit(vectors[members == cluster].mean(axis=0)) @ direction) >= threshold
    }


def _unit(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


def count_refusals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Refusals per split, by cluster and by phrase: n, counts and rates (null for no rows)."""
    counts: dict[str, Any] = {}
    for split in ("neg", "pos", "rand"):
        members = [row for row in rows if row["split"] == split]
        counts[split] = {"n": len(members)}
        for name in ("refusal", "lexical_refusal"):
            count = sum(row[name] for row in members)
            counts[split][name] = count
            counts[split][f"{name}_rate"] = count / len(members) if members else None
    return counts
