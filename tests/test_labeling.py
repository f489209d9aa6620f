from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dialogues import dialogue, record
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from feedback_lens.feedback.detector import Detector, save_detector
from feedback_lens.feedback.labeling import label_conversations
from feedback_lens.feedback.prompted import LABELS_FORMAT, request_labels
from feedback_lens.prompts import read_prompt

PROMPT = Path(__file__).parents[1] / "prompts" / "label.txt"
SAMPLING = Sampling(temperature=1.0, max_tokens=2048)
TALKS = [dialogue("a", "hi", "hello", "thanks", "bye"), dialogue("b", "one", "m", "two", "m", "no")]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


def label(tmp_path, detector, reasks=0, structured=False):
    policy = AskPolicy("claude", tmp_path, SAMPLING, reasks)
    return label_conversations(TALKS, detector, tmp_path / "detector", PROMPT, policy, structured)


def list_requests(structured=False):
    template = read_prompt(PROMPT, {"conversation"})
    return [request_labels(c, template, "claude", SAMPLING, structured) for c in TALKS]


def read(rows):
    return [(row["conversation_id"], row["turn"], row["label"], row["outcome"]) for row in rows]


def labels(*found):
    entries = [f'{{"turn": {turn}, "label": "{label}"}}' for turn, label in enumerate(found, 2)]
    return f'{{"labels": [{", ".join(entries)}]}}'


def test_the_prompted_detector_labels_what_its_model_answers(tmp_path):
    requests = list_requests()
    texts = ('{"labels": [{"turn": 2, "label": "POS"}]}', '{"labels": [{"turn": 3, "label": "X"}]}')
    record(tmp_path, zip(requests, texts, strict=True))
    rows, counts = label(tmp_path, "prompted")
    assert read(rows) == [
        ("a", 2, "POS", "answered"),
        ("b", 2, None, "unreadable"),
        ("b", 3, None, "unreadable"),
    ]
    # outcomes count turns; tokens those of two replies, 10 + 2 each
    assert counts["model"] == "claude"
    assert (counts["answered"], counts["unreadable"], counts["refused"]) == (1, 2, 0)
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (20, 4)
    assert (counts["calls"], counts["reasked"]) == (2, 0)


def test_a_reply_with_an_unreadable_turn_is_asked_for_again_as_another_draw(tmp_path):
    first, second = list_requests()
    replies = [
        (first, "no JSON"),
        (replace(first, sample=1), labels("POS")),
        (second, labels("NEU", "X")),
        (replace(second, sample=1), None, "refused"),
    ]
    record(tmp_path, replies)
    rows, counts = label(tmp_path, "prompted", reasks=1)
    # where no draw is readable, the first one counts, with the turns that it has
    assert read(rows) == [
        ("a", 2, "POS", "answered"),
        ("b", 2, "NEU", "answered"),
        ("b", 3, None, "unreadable"),
    ]
    # of four calls two were second draws; tokens over all draws, 4 times 10 + 2
    assert (counts["answered"], counts["refused"], counts["unreadable"]) == (2, 0, 1)
    assert (counts["calls"], counts["reasked"]) == (4, 2)
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (40, 8)


def test_structured_labels_are_asked_for_by_their_schema(tmp_path):
    requests = list_requests(structured=True)
    assert {request.response_format["type"] for request in requests} == {"json_schema"}
    assert requests[0].response_format == LABELS_FORMAT
    assert list_requests()[0].response_format is None
    record(tmp_path, zip(requests, (labels("POS"), labels("NEU", "NEG_1")), strict=True))
    rows, _ = label(tmp_path, "prompted", structured=True)
    assert [row["label"] for row in rows] == ["POS", "NEU", "NEG_1"]


def test_a_reply_that_is_not_recorded_is_an_error_offline(tmp_path):
    with pytest.raises(InputError, match="label: 2 replies of model 'claude' are not recorded"):
        label(tmp_path, "prompted")


def test_the_local_detector_labels_every_turn_after_the_first(tmp_path):
    # no weights: the intercept of POS alone decides, whatever the text; exp(1) / (exp(1) + 1)
    intercepts = np.array([[0.0, 1.0]])
    save_detector(
        Detector(("NEU", "POS"), np.zeros((1, 2, 1153)), intercepts, {}), tmp_path / "detector"
    )
    rows, counts = label(tmp_path, "local")
    assert [(r["conversation_id"], r["turn"]) for r in rows] == [("a", 2), ("b", 2), ("b", 3)]
    assert {(r["label"], r["confidence"]) for r in rows} == {("POS", 0.7311)}
    assert (counts["model"], counts["answered"]) == ("detector", 3)
    assert "calls" not in counts


def test_an_unknown_detector_is_an_error(tmp_path):
    with pytest.raises(InputError, match="'magic' is unknown; local and prompted are known"):
        label(tmp_path, "magic")


def test_a_detector_that_was_not_fitted_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"detector\.json: no such file; `dvc repro`"):
        label(tmp_path, "local")
