from pathlib import Path

import numpy as np
import pytest

from dialogues import dialogue, record
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from feedback_lens.feedback.detector import Detector, save_detector
from feedback_lens.feedback.labeling import label_conversations
from feedback_lens.feedback.prompted import request_labels
from feedback_lens.prompts import read_prompt

PROMPT = Path(__file__).parents[1] / "prompts" / "label.txt"
SAMPLING = Sampling(temperature=1.0, max_tokens=2048)
TALKS = [dialogue("a", "hi", "hello", "thanks", "bye"), dialogue("b", "one", "m", "two", "m", "no")]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


def label(tmp_path, detector, conversations=TALKS):
    return label_conversations(
        conversations, detector, tmp_path / "detector", PROMPT, "claude", tmp_path, SAMPLING
    )


def test_the_prompted_detector_labels_what_its_model_answers(tmp_path):
    template = read_prompt(PROMPT, {"conversation"})
    requests = [request_labels(c, template, "claude", SAMPLING) for c in TALKS]
    texts = ('{"labels": [{"turn": 2, "label": "POS"}]}', '{"labels": [{"turn": 3, "label": "X"}]}')
    record(tmp_path, zip(requests, texts, strict=True))
    rows, counts = label(tmp_path, "prompted")
    found = [(r["conversation_id"], r["turn"], r["label"], r["outcome"]) for r in rows]
    assert found == [
        ("a", 2, "POS", "answered"),
        ("b", 2, None, "unreadable"),
        ("b", 3, None, "unreadable"),
    ]
    # outcomes count turns; tokens those of two replies, 10 + 2 each
    assert counts["model"] == "claude"
    assert (counts["answered"], counts["unreadable"], counts["refused"]) == (1, 2, 0)
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (20, 4)


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


def test_an_unknown_detector_is_an_error(tmp_path):
    with pytest.raises(InputError, match="'magic' is unknown; local and prompted are known"):
        label(tmp_path, "magic")


def test_a_detector_that_was_not_fitted_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"detector\.json: no such file; `dvc repro`"):
        label(tmp_path, "local")
