"""The detectors by name: what labels the user turns of a log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import count_outcomes
from feedback_lens.errors import InputError
from feedback_lens.feedback.keywords import label_by_keywords
from feedback_lens.feedback.labels import ABSTAINED
from feedback_lens.feedback.local.detector import load_detector
from feedback_lens.feedback.prompted.labeler import PROMPTS, AskSettings, PromptedLabeler
from feedback_lens.logs.conversation import Conversation

Rows = Iterator[dict[str, Any]]
DETECTORS: Final = ("local", "keywords", *PROMPTS)
# conversations that the local detector sees at once
CHUNK: Final = 1000


class Labeler(Protocol):
    """What labels a log as a stream; `model` is null where no model does."""

    @property
    def model(self) -> str | None:
        """The model by name."""

    def label(self, conversations: Iterable[Conversation]) -> Rows:
        """Rows of `LABELS`, in the order of conversations and turns."""

    def count(self) -> Mapping[str, Any]:
        """What is to be noted beside the outcomes, once the rows are through."""


class Labeling:
    """The labels of a log: go through `rows` once, then `count`."""

    def __init__(
        self, labeler: Labeler, conversations: Iterable[Conversation], abstain_below: float
    ) -> None:
        self._labeler, self._abstain_below = labeler, abstain_below
        self._outcomes: Counter[str] = Counter()
        self.rows = self._label(conversations)

    def count(self) -> dict[str, Any]:
        """The counts beside the table: `model`, rows by outcome, and what a model took.

        `alignment` counts the entries of replies (`Reading`).
        """
        outcomes = count_outcomes(self._outcomes.elements())
        found = {"model": self._labeler.model, **outcomes, ABSTAINED: self._outcomes[ABSTAINED]}
        return {**found, **self._labeler.count()}

    def _label(self, conversations: Iterable[Conversation]) -> Rows:
        for row in self._labeler.label(conversations):
            if row["confidence"] is not None and row["confidence"] < self._abstain_below:
                row = {**row, "label": None, "outcome": ABSTAINED}
            self._outcomes[row["outcome"]] += 1
            yield row


def label_conversations(
    conversations: Iterable[Conversation],
    detector: str,
    detector_folder: Path,
    prompts: Path,
    policy: AskPolicy,
    settings: AskSettings,
    abstain_below: float,
) -> Labeling:
    """Labels of every user turn after the first (rows of `LABELS`), as a stream.

    `detector` is `local` (that of `detector_folder`), `keywords`, or one of those that ask the
    model of `policy` by a prompt of the folder `prompts`: `prompted` and `prior`. A label whose
    confidence is below `abstain_below` is left out as `abstained`; one without a confidence stays.

    Raises:
        InputError: the detector is unknown or was not fitted, or its model cannot answer.
    """
    labeler: Labeler
    if detector == "local":
        labeler = LocalLabeler(detector_folder)
    elif detector == "keywords":
        labeler = KeywordLabeler()
    elif detector in PROMPTS:
        labeler = PromptedLabeler(PROMPTS[detector], prompts, policy, settings)
    else:
        raise InputError(
            f"{detector!r} is no detector; set corpora.<name>.detector, and the names of "
            f"run.detection.detectors, to {', '.join(DETECTORS)}"
        )
    return Labeling(labeler, conversations, abstain_below)


class LocalLabeler:
    """Labels by the fitted detector of a folder."""

    def __init__(self, folder: Path) -> None:
        self.model = folder.name
        self._detector = load_detector(folder)

    def label(self, conversations: Iterable[Conversation]) -> Rows:
        """Rows of `LABELS`, in the order of conversations and turns."""
        remaining = iter(conversations)
        while chunk := list(islice(remaining, CHUNK)):
            yield from self._detector.label(chunk)

    def count(self) -> Mapping[str, Any]:
        """Nothing: no call was made."""
        return {}


class KeywordLabeler:
    """Labels by the keyword baseline, without a confidence."""

    model = None

    def label(self, conversations: Iterable[Conversation]) -> Rows:
        """Rows of `LABELS`, in the order of conversations and turns."""
        for conversation in conversations:
            for turn, text in enumerate(conversation.user_turns[1:], start=2):
                yield {
                    "conversation_id": conversation.conversation_id,
                    "turn": turn,
                    "label": label_by_keywords(text),
                    "confidence": None,
                    "listed": True,
                    "outcome": "answered",
                }

    def count(self) -> Mapping[str, Any]:
        """Nothing: no call was made."""
        return {}
