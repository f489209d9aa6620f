"""The detectors by name: what labels the user turns of a corpus."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.policy import AskPolicy, count_calls
from feedback_lens.errors import InputError
from feedback_lens.feedback.detector import load_detector
from feedback_lens.feedback.prompted import labels_every_turn, read_labels, request_labels
from feedback_lens.logs.conversation import Conversation
from feedback_lens.prompts import read_prompt

Rows = list[dict[str, Any]]


def label_locally(
    conversations: Sequence[Conversation], folder: Path
) -> tuple[Rows, dict[str, Any]]:
    """Labels by the local detector of a folder, and their counts."""
    rows = load_detector(folder).label(conversations)
    return rows, count_calls(folder.name, rows)


def label_by_prompt(
    conversations: Sequence[Conversation], prompt: Path, policy: AskPolicy, structured: bool
) -> tuple[Rows, dict[str, Any]]:
    """Labels by a language model, and their counts with the usage.

    A reply that leaves a turn without a readable label is asked for again as a whole.
    """
    assistant = open_assistant("label", policy.model, policy.source)
    template = read_prompt(prompt, {"conversation"})
    responses = assistant.ask(
        [
            request_labels(c, template, assistant.model, policy.sampling, structured)
            for c in conversations
        ],
        lambda index, response: labels_every_turn(response, conversations[index]),
        policy.reasks,
    )
    rows = [
        row
        for conversation, response in zip(conversations, responses, strict=True)
        for row in read_labels(response, conversation)
    ]
    return rows, count_calls(assistant.model, rows, assistant.tally())


def label_conversations(
    conversations: Sequence[Conversation],
    detector: str,
    detector_folder: Path,
    prompt: Path,
    policy: AskPolicy,
    structured: bool,
) -> tuple[Rows, dict[str, Any]]:
    """Labels of every user turn after the first (rows of `LABELS`), and their counts by outcome.

    Raises:
        InputError: the detector is neither `local` nor `prompted`, or its model cannot answer.
    """
    if detector == "local":
        return label_locally(conversations, detector_folder)
    if detector == "prompted":
        return label_by_prompt(conversations, prompt, policy, structured)
    raise InputError(
        f"run.detection.detectors: {detector!r} is unknown; local and prompted are known"
    )
