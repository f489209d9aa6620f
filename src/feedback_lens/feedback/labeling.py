"""The detectors by name: what labels the user turns of a corpus."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Sampling, count_outcomes, sum_usage
from feedback_lens.errors import InputError
from feedback_lens.feedback.detector import load_detector
from feedback_lens.feedback.prompted import read_labels, request_labels
from feedback_lens.logs.conversation import Conversation
from feedback_lens.prompts import read_prompt

Rows = list[dict[str, Any]]


def label_locally(
    conversations: Sequence[Conversation], folder: Path
) -> tuple[Rows, dict[str, Any]]:
    """Labels by the local detector of a folder, and their counts."""
    rows = load_detector(folder).label(conversations)
    return rows, {"model": folder.name, **count_outcomes(row["outcome"] for row in rows)}


def label_by_prompt(
    conversations: Sequence[Conversation],
    prompt: Path,
    model: str,
    source: Path,
    sampling: Sampling,
) -> tuple[Rows, dict[str, Any]]:
    """Labels by a language model, and their counts with the usage."""
    assistant = open_assistant("label", model, source)
    template = read_prompt(prompt, {"conversation"})
    responses = assistant.ask(
        [request_labels(c, template, assistant.model, sampling) for c in conversations]
    )
    rows = [
        row
        for conversation, response in zip(conversations, responses, strict=True)
        for row in read_labels(response, conversation)
    ]
    outcomes = count_outcomes(row["outcome"] for row in rows)
    return rows, {"model": assistant.model, **outcomes, **sum_usage(responses)}


def label_conversations(
    conversations: Sequence[Conversation],
    detector: str,
    detector_folder: Path,
    prompt: Path,
    model: str,
    source: Path,
    sampling: Sampling,
) -> tuple[Rows, dict[str, Any]]:
    """Labels of every user turn after the first (rows of `LABELS`), and their counts by outcome.

    Raises:
        InputError: the detector is neither `local` nor `prompted`, or its model cannot answer.
    """
    if detector == "local":
        return label_locally(conversations, detector_folder)
    if detector == "prompted":
        return label_by_prompt(conversations, prompt, model, source, sampling)
    raise InputError(
        f"run.detection.detectors: {detector!r} is unknown; local and prompted are known"
    )
