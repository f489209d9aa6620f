"""FastChat's pairwise judge: its own prompts, verbatim from its own file, and its own reading.

Nothing in these prompts fences the judged answers: a verdict or an end marker in one of them
reaches the judge as it is, and a verdict that the judge quotes may be read for its own; `pair` is
the safe method.

Source: FastChat llm_judge/common.py (run_judge_pair), at commit 007ecd0.
"""

from collections.abc import Mapping
from pathlib import Path

from feedback_lens.benchmarks.judges.fastchat import JudgePrompt, describe_task, read_prompts
from feedback_lens.benchmarks.pairs.pairing import Sides
from feedback_lens.benchmarks.pairs.prompted import LETTERS
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Sampling

NAMES = ("pair-v2", "pair-math-v1", "pair-v2-multi-turn", "pair-math-v1-multi-turn")
_FIRST_TURN = ("question", "answer_a", "answer_b", "ref_answer_1")
_BOTH_TURNS = tuple(
    f"{place}_{turn}"
    for turn in (1, 2)
    for place in ("question", "answer_a", "answer_b", "ref_answer")
)


def read_pair_prompts(path: Path) -> dict[str, JudgePrompt]:
    """The prompts for pairs of answers in a judge_prompts.jsonl, by name.

    Raises:
        InputError: the file cannot be read, lacks one of them, or one has a place that is unknown.
    """
    return read_prompts(
        path,
        {name: _BOTH_TURNS if name.endswith("multi-turn") else _FIRST_TURN for name in NAMES},
    )


def request_comparison(
    question: Question,
    sides: Sides,
    model: str,
    sampling: Sampling,
    prompts: Mapping[str, JudgePrompt],
) -> Request:
    """The request that asks which of two sides is better, in the first turn or in the second."""
    prompt = prompts[choose_prompt(question, len(sides[0]))]
    filled = prompt.template.format(**_fill_places(question, sides))
    messages = ({"role": "system", "content": prompt.system}, {"role": "user", "content": filled})
    return Request(model, messages, sampling)


def choose_prompt(question: Question, turn: int) -> str:
    """The name of the prompt that compares answers to a question's first or second turn."""
    kind = "pair-math-v1" if question.is_referenced else "pair-v2"
    return kind if turn == 1 else f"{kind}-multi-turn"


def read_verdict(text: str) -> float | None:
    """What assistant A gets: by `[[A]]` anywhere, else `[[B]]`, else `[[C]]`; None without any."""
    return next((points for letter, points in LETTERS.items() if f"[[{letter}]]" in text), None)


def _fill_places(question: Question, sides: Sides) -> dict[str, str]:
    asked = [describe_task(question), *question.turns[1:]]
    a, b = ([answer or "" for answer in side] for side in sides)
    values = {"question": asked[0], "answer_a": a[0], "answer_b": b[0]}
    columns = {"question": asked, "answer_a": a, "answer_b": b, "ref_answer": question.references}
    for place, texts in columns.items():
        values |= {f"{place}_{number}": text for number, text in enumerate(texts, start=1)}
    return values
