"""The ways in which a model compares two answers: what it is asked, and where its verdict is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from feedback_lens.benchmarks.judges.fastchat import find_fault
from feedback_lens.benchmarks.pairs import fastchat, prompted
from feedback_lens.benchmarks.pairs.pairing import Sides
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Sampling
from feedback_lens.prompts import read_prompt


@dataclass(frozen=True)
class Method:
    """How a model compares two answers.

    `ask` makes the request for two sides, of a model's name and sampling; `read` takes what
    assistant A gets of the win, 0 to 1, from the reply, None where there is no verdict;
    `find_fault` says what a question lacks to be judged so, None where it lacks nothing.
    """

    ask: Callable[[Question, Sides, str, Sampling], Request]
    read: Callable[[str], float | None]
    find_fault: Callable[[Question], str | None]


def _open_pair(prompt: Path, structured: bool) -> Method:
    template = read_prompt(prompt, {"dialogues"})
    return Method(
        partial(prompted.request_comparison, template=template, structured=structured),
        partial(prompted.read_verdict, structured=structured),
        lambda question: None,
    )


def _open_fastchat(prompt: Path, structured: bool) -> Method:
    # FastChat's prompts want a letter in brackets: there is no object to ask for
    prompts = fastchat.read_pair_prompts(prompt)
    ask = partial(fastchat.request_comparison, prompts=prompts)
    return Method(ask, fastchat.read_verdict, find_fault)


# by name: what reads a prompt's file, and says whether a JSON object is asked for
METHODS: Mapping[str, Callable[[Path, bool], Method]] = {
    "pair": _open_pair,
    "fastchat": _open_fastchat,
}
