"""Toxicity of user prompts.

Source: paper section 4, Figure 3 (the paper asks the Perspective API).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.calls.policy import count_calls
from feedback_lens.moderation.asking import score_texts
from feedback_lens.moderation.scorers import ScoringPolicy, build_scorer

TOXICITY = pa.schema(
    [
        ("split", pa.string()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("toxicity", pa.float64()),
        ("outcome", pa.string()),
    ]
)
PLOT_COLUMNS = ["split", "toxicity"]
KEY = TOXICITY.names[:3]


def score_toxicity(
    rows: Sequence[Mapping[str, Any]], policy: ScoringPolicy, recorded: Path, today: date
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Toxicity of the prompt u_i of every sub-conversation (of `SPLITS`).

    Returns rows of `TOXICITY` and their counts by outcome. A score that could not be had is null.
    `recorded` is the folder of recorded scores; `today` the day by which a service is there.

    Raises:
        InputError: the scorer is unknown, or a score is missing and cannot be had.
    """
    scorer = build_scorer(policy)
    prompts = [row["prompt"] for row in rows]
    verdicts, tally = score_texts(prompts, scorer, recorded, "score_toxicity", today)
    scored = [
        {**{name: row[name] for name in KEY}, "toxicity": score, "outcome": outcome}
        for row, (score, outcome) in zip(rows, verdicts, strict=True)
    ]
    return scored, count_calls(scorer.model, scored, tally)


def list_points(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A point of the plot for each prompt that was scored (`PLOT_COLUMNS`)."""
    for row in rows:
        if row["toxicity"] is not None:
            yield {name: row[name] for name in PLOT_COLUMNS}
