from collections.abc import Sequence
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

    A later turn sees the model's own earlier answers. `tokens` is the answer's length, null where
    the server did not count; `cut_off` marks an answer that reached `max_tokens`.

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
            dialogues[index].append({"role": "assistant", "content": response.text or ""})
            rows.append(_row(questions[index].question_id, turn, response))
    return rows


def _row(question_id: str, turn: int, response: Response) -> dict[str, Any]:
    return {
        "question_id": question_id,
        "turn": turn,
        "answer": response.text,
        "outcome": response.outcome,
        "tokens": response.completion_tokens,
    }
