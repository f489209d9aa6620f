"""Judgments tables by hand, for the tests of what reads them."""

from feedback_lens.benchmarks.judges.judging import JUDGMENTS
from feedback_lens.tables import write_rows


def judged(*scores):
    """Judgments of questions 1, 2, ..., two turns each, categories writing and math in turn."""
    return [
        {
            "question_id": str(index // 2 + 1),
            "categories": [("writing", "math")[index // 2 % 2]],
            "turn": index % 2 + 1,
            "repetition": 0,
            "score": score,
            "outcome": "unreadable" if score is None else "answered",
            "judgment": f"[[{score}]]",
            "answer_outcome": "answered",
            "answer_tokens": 10,
            "answer_characters": 40,
        }
        for index, score in enumerate(scores)
    ]


def write_judgments(folder, models):
    rows = [{**model._asdict(), **row} for model, rows in models.items() for row in rows]
    write_rows(rows, folder / "reference" / "mt_bench.parquet", JUDGMENTS)
