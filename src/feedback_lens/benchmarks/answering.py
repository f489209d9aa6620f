from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.asking import Assistant
from feedback_lens.calls.request import Request, Response, Sampling

ANSWERS = pa.schema(
    [
        ("question_id", pa.string()),
        ("turn", pa.int32()),
        ("answer", pa.string()),
        ("outcome", pa.string()),
        ("tokens", pa.int32()),
    ]
)


def answer_questions(
    questions: Sequence[Question], assistant: Assistant, max_tokens: int, seed: int
) -> list[dict[str, Any]]:
    """A model's answers to a benchmark, all turns (rows of `ANSWERS`).

    A later turn sees the model's own earlier answers. `answer` is empty where the model said
    nothing, and null where it was not asked or its words were withheld (`failed`, `filtered`, a
    refusal without words). `tokens` is the answer's length, null where the server did not count;
    `cut_off` marks an answer that reached `max_tokens`.

    Source: FastChat's gen_model_answer; temperatures by category.
    """
    dialogues = [list(question.history) for question in questions]
    rows: list[dict[str, Any]] = []
    for turn in range(1, max((len(question.turns) for question in questions), default=0) + 1):
        asked = [index for index, question in enumerate(questions) if len(question.turns) >= turn]
        requests: list[Request] = []
        for index in asked:
            question = questions[index]
            dialogues[index].append({"role": "user", "content": question.turns[turn - 1]})
            sampling = Sampling(question.temperature, max_tokens=max_tokens, seed=seed)
            requests.append(Request(assistant.model, tuple(dialogues[index]), sampling))
        for index, response in zip(asked, assistant.ask(requests), strict=True):
            answer = _read_answer(response)
            dialogues[index].append({"role": "assistant", "content": answer or ""})
            rows.append(_row(questions[index].question_id, turn, answer, response))
    return rows


def describe_cut_offs(
    benchmark: str, rows: Sequence[Mapping[str, Any]], max_tokens: int
) -> str | None:
    """One line on the answers that reached `max_tokens`; None where none did."""
    cut_off = sum(row["outcome"] == "cut_off" for row in rows)
    if not cut_off:
        return None
    return (
        f"{benchmark}: {cut_off} of {len(rows)} answers reached max_tokens ({max_tokens}) and were "
        "cut off"
    )


def _read_answer(response: Response) -> str | None:
    if response.outcome in ("failed", "filtered"):
        # the text is the server's, which says why
        return None
    return response.text if response.outcome == "refused" else response.text or ""


def _row(question_id: str, turn: int, answer: str | None, response: Response) -> dict[str, Any]:
    return {
        "question_id": question_id,
        "turn": turn,
        "answer": answer,
        "outcome": response.outcome,
        "tokens": response.completion_tokens,
    }
