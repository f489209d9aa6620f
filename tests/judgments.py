"""Judgments tables by hand, for the tests of what reads them."""

import pyarrow as pa

from feedback_lens.tables import write_rows

JUDGMENTS = pa.schema(
    [
        ("base", pa.string()),
        ("corpus", pa.string()),
        ("recipe", pa.string()),
        ("seed", pa.int64()),
        ("question_id", pa.string()),
        ("category", pa.string()),
        ("turn", pa.int32()),
        ("score", pa.float64()),
    ]
)


def judged(*scores):
    """Judgments of questions 1, 2, ..., two turns each, categories writing and math in turn."""
    return [
        {
            "question_id": str(index // 2 + 1),
            "category": ("writing", "math")[index // 2 % 2],
            "turn": index % 2 + 1,
            "score": score,
        }
        for index, score in enumerate(scores)
    ]


def write_judgments(folder, models):
    rows = [{**model._asdict(), **row} for model, rows in models.items() for row in rows]
    write_rows(rows, folder / "mt_bench" / "reference.parquet", JUDGMENTS)
