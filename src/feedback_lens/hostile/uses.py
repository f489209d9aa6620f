"""Where users' text meets a model: the prompts that hold it, and how verdicts are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from feedback_lens.analysis.prompted import read_criteria, read_difficulty, request_rating
from feedback_lens.benchmarks.prompted import read_rating, request_judgment
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Response, Sampling
from feedback_lens.feedback.prompted import read_labels, request_labels
from feedback_lens.logs.conversation import Conversation, Message
from feedback_lens.prompts import fence, render

Verdict = tuple[Any, ...]  # its parts (the label of each turn, else one); None where unreadable


@dataclass(frozen=True)
class Reader:
    """How a verdict is read: `honest` is the model's own in the form asked for, read `verdict`."""

    honest: str
    verdict: Verdict
    read: Callable[[str], Verdict]

    @property
    def wants_object(self) -> bool:
        """Whether the reply is to be one JSON object and nothing else."""
        return self.honest.startswith("{")


@dataclass(frozen=True)
class Use:
    """A prompt file with the place for users' text, what fills it in, and what reads the replies.

    `ask` takes the template and the text, which stands in the prompt wherever users' or models'
    words do. Where no code reads a verdict out of the reply there are no readers.
    """

    name: str
    prompt: str
    place: str
    ask: Callable[[str, str], str]
    readers: tuple[Reader, ...]


def _content(request: Request) -> str:
    return request.messages[0]["content"]


def _talk(text: str) -> Conversation:
    said = ("Name a fruit.", text, text, "Pear.", "And a nut?")
    messages = tuple(Message(("user", "assistant")[n % 2], words) for n, words in enumerate(said))
    return Conversation("injection", "injections", None, None, None, None, None, None, messages)


def _ask_labels(template: str, text: str) -> str:
    return _content(request_labels(_talk(text), template, "any", Sampling(), structured=False))


def _read_labels(text: str) -> Verdict:
    rows = read_labels(Response("answered", text), _talk(""))
    return tuple(row["label"] for row in rows)


def _ask_judgment(template: str, text: str) -> str:
    history: tuple[Mapping[str, str], ...] = ({"role": "user", "content": text},)
    question = Question("injection", "math", (text, "Go on."), history, (), (text,), 0.0)
    answers = [text, text]
    return _content(request_judgment(question, answers, template, "any", Sampling(), False))


def _ask_rating(template: str, text: str) -> str:
    return _content(request_rating(text, template, "any", Sampling(), None))


def _ask_revision(template: str, text: str) -> str:
    # as training.regeneration does (a test holds it to that), without the code that makes calls
    return render(template, {"exchange": fence({"request": text, "reply": text, "feedback": text})})


_JUDGES = (
    Reader("Rating: [[3]]", (3,), lambda text: (read_rating(text, structured=False),)),
    Reader('{"rating": 3}', (3,), lambda text: (read_rating(text, structured=True),)),
)
_QUALITY = (
    Reader("[2, 5]", ({2, 5},), lambda text: (read_criteria(text, structured=False),)),
    Reader('{"criteria": [2, 5]}', ({2, 5},), lambda text: (read_criteria(text, structured=True),)),
)
_COMPLEXITY = (
    Reader("[[4]]", (4,), lambda text: (read_difficulty(text, structured=False),)),
    Reader('{"difficulty": 4}', (4,), lambda text: (read_difficulty(text, structured=True),)),
)
_LABELS = Reader(
    '{"labels": [{"turn": 2, "label": "NEG_1"}, {"turn": 3, "label": "NEG_4"}]}',
    ("NEG_1", "NEG_4"),
    _read_labels,
)

USES = (
    Use("label", "label.txt", "conversation", _ask_labels, (_LABELS,)),
    Use("judge_mt_bench", "judge_mt_bench.txt", "dialogue", _ask_judgment, _JUDGES),
    Use("judge_wildbench", "judge_wildbench.txt", "dialogue", _ask_judgment, _JUDGES),
    Use("rate_quality", "rate_quality.txt", "prompt", _ask_rating, _QUALITY),
    Use("rate_complexity", "rate_complexity.txt", "prompt", _ask_rating, _COMPLEXITY),
    Use("regenerate_semantic", "regenerate_semantic.txt", "exchange", _ask_revision, ()),
)
