"""The ontology of implicit feedback at three granularities.

Source: paper section 2.1 and appendix B; numbering of the published sets (NEG_2 is *with*
correction), which the order of the list in the paper's section 2 does not follow; Don-Yehiya et al.
2024 for the categories UR1 to UR5 of prior work.
"""

from collections.abc import Iterable
from typing import Final

import pyarrow as pa

REPHRASE: Final = "NEG_1"
WITH_CORRECTION: Final = "NEG_2"
WITHOUT_CORRECTION: Final = "NEG_3"
CLARIFICATION: Final = "NEG_4"
POSITIVE: Final = "POS"
NEUTRAL: Final = "NEU"

FINE: Final = (REPHRASE, WITH_CORRECTION, WITHOUT_CORRECTION, CLARIFICATION, POSITIVE, NEUTRAL)
NEGATIVE: Final = (REPHRASE, WITH_CORRECTION, WITHOUT_CORRECTION, CLARIFICATION)
THREE_WAY: Final = ("NEG", POSITIVE, NEUTRAL)
BINARY: Final = ("FEEDBACK", NEUTRAL)
GRANULARITIES: Final = {"binary": BINARY, "three_way": THREE_WAY, "fine": FINE}
PRIORITY: Final = (
    WITH_CORRECTION,
    WITHOUT_CORRECTION,
    CLARIFICATION,
    REPHRASE,
    POSITIVE,
    NEUTRAL,
)
DESCRIPTIONS: Final = {
    REPHRASE: "rephrase",
    WITH_CORRECTION: "make aware with correction",
    WITHOUT_CORRECTION: "make aware without correction",
    CLARIFICATION: "ask for clarification",
    POSITIVE: "positive feedback",
    NEUTRAL: "no feedback",
}
CATEGORIES: Final = {
    "UR1": REPHRASE,
    "UR2": WITH_CORRECTION,
    "UR3": WITHOUT_CORRECTION,
    "UR4": CLARIFICATION,
    "UR5": POSITIVE,
}
ABSTAINED: Final = "abstained"
LABELS: Final = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("listed", pa.bool_()),
        ("outcome", pa.string()),
    ]
)


def reduce_labels(labels: Iterable[str]) -> str:
    """The one label of a turn that carries several: NEG_2 > NEG_3 > NEG_4 > NEG_1 (> POS > NEU).

    Raises:
        ValueError: no label, or one outside the ontology.
    """
    found = set(labels)
    unknown = found - set(FINE)
    if unknown or not found:
        raise ValueError(f"labels {sorted(found)}: one or more of {', '.join(FINE)} are wanted")
    return next(label for label in PRIORITY if label in found)


def coarsen(label: str, granularity: str) -> str:
    """The fine label seen at `binary`, `three_way` or `fine` granularity."""
    if granularity == "fine" or label == NEUTRAL:
        return label
    if granularity == "binary":
        return "FEEDBACK"
    return "NEG" if label in NEGATIVE else label


def from_category(category: str) -> str:
    """The label of a category of prior work, UR1 to UR5.

    Raises:
        ValueError: it is none of them.
    """
    if category not in CATEGORIES:
        raise ValueError(f"category {category!r}: one of {', '.join(CATEGORIES)} is wanted")
    return CATEGORIES[category]


def to_category(label: str) -> str | None:
    """The category of prior work for a label; null for NEU, which it leaves unlisted.

    Raises:
        ValueError: the label is outside the ontology.
    """
    if label not in FINE:
        raise ValueError(f"label {label!r}: one of {', '.join(FINE)} is wanted")
    return next((category for category, other in CATEGORIES.items() if other == label), None)
