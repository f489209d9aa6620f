"""The questions, answers, judgments and verdicts that the report's tests show.

MT-Bench has three questions of two turns, WildBench two tasks, the first with a conversation before
it and a checklist. The untrained base answers nothing to the third question's first turn, and
every model answers alike in second turns.
"""

import json

from feedback_lens.axes import UNTRAINED
from feedback_lens.benchmarks.answering import ANSWERS
from feedback_lens.benchmarks.judges.judging import JUDGMENTS
from feedback_lens.benchmarks.pairs.pairing import PAIR_JUDGMENTS
from feedback_lens.tables import write_rows

ALIKE = "The same of all models."


def write_answers(folder, axes, judgments, hostile):
    """`judgments` go by benchmark and judge, then model; `hostile` is a question and an answer."""
    _write_questions(folder / "benchmarks", hostile)
    for model in axes.models():
        for name, turns in (("mt_bench", 2), ("wildbench", 1)):
            rows = list(_answer(model, name, turns, hostile))
            write_rows(rows, folder / "data/answers" / model.folder / f"{name}.parquet", ANSWERS)
    for (benchmark, judge), models in judgments.items():
        rows = [{**model._asdict(), **row} for model, rows in models.items() for row in rows]
        path = folder / "data/judgments/answers" / judge / f"{benchmark}.parquet"
        write_rows(rows, path, JUDGMENTS)


def write_verdicts(folder, judge, compared):
    """`compared` goes by benchmark and model."""
    told = {"against": judge.against, "categories": ["writing"], "outcome": "answered"}
    for benchmark, models in compared.items():
        rows = [
            {
                **model._asdict(),
                **row,
                **told,
                "judgment": f"in order {row['order']}: {row['verdict']}",
            }
            for model, rows in models.items()
            for row in rows
        ]
        write_rows(rows, folder / f"{benchmark}.parquet", PAIR_JUDGMENTS)


def _write_questions(folder, hostile):
    questions = [
        {"question_id": 1, "category": "writing", "turns": [hostile, "And shorter?"]},
        {"question_id": 2, "category": "math", "turns": ["What is 2 + 2?", "And 3 + 3?"]},
        {"question_id": 3, "category": "writing", "turns": ["A poem on rain.", "On snow."]},
    ]
    reference = {"question_id": 2, "choices": [{"turns": ["Four.", "Six."]}]}
    asked = {"role": "user", "content": "And the second?"}
    before = [
        {"role": "user", "content": "Name a planet."},
        {"role": "assistant", "content": "Mars"},
    ]
    tasks = [
        {"session_id": "1", "conversation_input": [*before, asked], "checklist": ["Is it named?"]},
        {"session_id": "2", "conversation_input": [asked], "checklist": []},
    ]
    tagged = [{**task, "primary_tag": "Creative Writing"} for task in tasks]
    _write_lines(folder / "mt_bench/question.jsonl", questions)
    _write_lines(folder / "mt_bench/reference.jsonl", [reference])
    _write_lines(folder / "wildbench/tasks.jsonl", tagged)


def _write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _answer(model, benchmark, turns, hostile):
    for question in ("1", "2", "3")[: 3 if benchmark == "mt_bench" else 2]:
        for turn in range(1, turns + 1):
            text = f"{model.folder} to {question}" + (f" {hostile}" if question == "1" else "")
            found = {"answer": ALIKE if turn == 2 else text, "outcome": "answered", "tokens": 10}
            if (question, turn, model.recipe) == ("3", 1, UNTRAINED):
                found = {"answer": None, "outcome": "failed", "tokens": None}
            if (question, benchmark) == ("2", "wildbench"):
                found = {"answer": "", "outcome": "cut_off", "tokens": 96}
            yield {"question_id": question, "turn": turn, **found}
