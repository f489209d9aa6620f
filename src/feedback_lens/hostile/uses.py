"""Where users' text meets a model: the prompts that hold it, and how verdicts are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from feedback_lens.analysis.prompted import read_criteria, read_difficulty, request_rating
from feedback_lens.benchmarks.judges.prompted import read_rating, request_judgment
from feedback_lens.benchmarks.pairs.prompted import read_verdict, request_comparison
from feedback_lens.benchmarks.questions import Question
from feedback_lens.calls.request import Request, Response, Sampling
from feedback_lens.feedback.prompted.dense import read_labels, request_labels
from feedback_lens.feedback.prompted.prior import read_feedback, request_feedback
from feedback_lens.feedback.prompted.reading import Reading
from feedback_lens.logs.conversation import Conversation, Message
from feedback_lens.prompts import fence, render

Verdict = tuple[Any, ...]  # its parts (the label of each turn, else one); None where unreadable


@dataclass(frozen=True)
class Reader:
    """How a verdict is read: `honest` is the model's own in the form asked for, read `verdict`.

    `read` takes the reply, and the hostile text that stood in the prompt. `entry`, where the reply
    is a list of entries, is one more that changes no verdict and quotes a text in the place `{}`.
    """

    honest: str
    verdict: Verdict
    read: Callable[[str, str], Verdict]
    entry: str | None = None

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
    return _make_talk("Name a fruit.", text, text, "Pear.", "And a nut?")


def _make_talk(*said: str) -> Conversation:
    messages = tuple(Message(("user", "assistant")[n % 2], words) for n, words in enumerate(said))
    return Conversation("injection", "injections", None, None, None, None, None, None, messages)


def _ask_labels(template: str, text: str) -> str:
    return _content(request_labels(_talk(text), template, "any", Sampling(), structured=False))


def _read_labels(reply: str, text: str) -> Verdict:
    reading = read_labels(Response("answered", reply), _talk(text))
    return _list_labels(reading)


def _ask_feedback(template: str, text: str) -> str:
    return _content(request_feedback(_talk(text), template, "any", Sampling(), structured=False))


def _read_feedback(reply: str, text: str) -> Verdict:
    talk = _make_talk(text, text, "I said a fruit.", "Pear.", "And a nut?")
    return _list_labels(read_feedback(Response("answered", reply), talk))


def _list_labels(reading: Reading) -> Verdict:
    verdicts = (reading.verdicts.get(turn) for turn in range(2, reading.turns + 1))
    return tuple(verdict and verdict.label for verdict in verdicts)


def _ask_judgment(template: str, text: str) -> str:
    history: tuple[Mapping[str, str], ...] = ({"role": "user", "content": text},)
    question = Question("injection", ("math",), (text, "Go on."), history, (), (text,), 0.0)
    answers = [text, text]
    return _content(
        request_judgment(question, answers, "any", Sampling(), template, structured=False)
    )


def _ask_comparison(template: str, text: str) -> str:
    history: tuple[Mapping[str, str], ...] = ({"role": "user", "content": text},)
    question = Question("injection", ("math",), (text,), history, (text,), (text,), 0.0)
    sides = ((text,), (text,))
    return _content(request_comparison(question, sides, "any", Sampling(), template, False))


def _ask_rating(template: str, text: str) -> str:
    return _content(request_rating(text, template, "any", Sampling(), None))


def _ask_revision(template: str, text: str) -> str:
    return _revise(template, {"request": text, "reply": text, "feedback": text})


def _ask_revision_with_earlier(template: str, text: str) -> str:
    earlier = [{"role": role, "content": text} for role in ("user", "assistant")]
    return _revise(template, {"earlier": earlier, "request": text, "reply": text, "feedback": text})


def _revise(template: str, exchange: Mapping[str, Any]) -> str:
    # as training.regeneration does (a test holds it to that), without the code that makes calls
    return render(template, {"exchange": fence(exchange)})


_JUDGES = (
    Reader("Rating: [[3]]", (3,), lambda reply, _: (read_rating(reply, structured=False),)),
    Reader('{"rating": 3}', (3,), lambda reply, _: (read_rating(reply, structured=True),)),
)
_COMPARISONS = (
    Reader("Verdict: [[B]]", (0,), lambda reply, _: (read_verdict(reply, structured=False),)),
    Reader('{"verdict": "B"}', (0,), lambda reply, _: (read_verdict(reply, structured=True),)),
)
_QUALITY = (
    Reader("[2, 5]", ({2, 5},), lambda reply, _: (read_criteria(reply, structured=False),)),
    Reader(
        '{"criteria": [2, 5]}', ({2, 5},), lambda reply, _: (read_criteria(reply, structured=True),)
    ),
)
_COMPLEXITY = (
    Reader("[[4]]", (4,), lambda reply, _: (read_difficulty(reply, structured=False),)),
    Reader('{"difficulty": 4}', (4,), lambda reply, _: (read_difficulty(reply, structured=True),)),
)
_LABELS = Reader(
    '{"labels": [{"turn": 2, "label": "NEG_1"}, {"turn": 3, "label": "NEG_4"}]}',
    ("NEG_1", "NEG_4"),
    _read_labels,
    '{"turn": 9, "label": {}}',
)
# the hostile text is the first turn's and the first reply's, so that quoting it labels no turn
_FEEDBACK = Reader(
    '{"feedback": [{"category": "UR1", "text": "I said a fruit."}, '
    '{"category": "UR4", "text": "And a nut?"}]}',
    ("NEG_1", "NEG_4"),
    _read_feedback,
    '{"category": "UR3", "text": {}}',
)
_FEEDBACK_QUOTE_FIRST = Reader(
    '{"feedback": [{"text": "I said a fruit.", "category": "UR1"}, '
    '{"text": "And a nut?", "category": "UR4"}]}',
    ("NEG_1", "NEG_4"),
    _read_feedback,
    '{"text": {}, "category": "UR3"}',
)

# FastChat's and WildBench's own judge prompts are not among them: they fence nothing, and are used
# as they are so that scores compare with published ones (docs/judging.md)
USES = (
    Use("label", "label.txt", "conversation", _ask_labels, (_LABELS,)),
    Use(
        "label_prior",
        "label_prior.txt",
        "conversation",
        _ask_feedback,
        (_FEEDBACK, _FEEDBACK_QUOTE_FIRST),
    ),
    Use("judge_mt_bench", "judge_mt_bench.txt", "dialogue", _ask_judgment, _JUDGES),
    Use("judge_wildbench", "judge_wildbench.txt", "dialogue", _ask_judgment, _JUDGES),
    Use("judge_pairs", "judge_pairs.txt", "dialogues", _ask_comparison, _COMPARISONS),
    Use("rate_quality", "rate_quality.txt", "prompt", _ask_rating, _QUALITY),
    Use("rate_complexity", "rate_complexity.txt", "prompt", _ask_rating, _COMPLEXITY),
    Use("regenerate_semantic", "regenerate_semantic.txt", "exchange", _ask_revision, ()),
    Use(
        "regenerate_semantic_earlier",
        "regenerate_semantic_earlier.txt",
        "exchange",
        _ask_revision_with_earlier,
        (),
    ),
)
