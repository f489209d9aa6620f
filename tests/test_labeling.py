import json
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dialogues import dialogue, record
from endpoint import environment, serve
from feedback_lens.calls.planning import Planned, planning
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import OUTCOMES, Sampling
from feedback_lens.errors import InputError
from feedback_lens.feedback.keywords import label_by_keywords
from feedback_lens.feedback.labeling import DETECTORS, label_conversations
from feedback_lens.feedback.labels import FINE, LABELS
from feedback_lens.feedback.local.detector import Detector, save_detector
from feedback_lens.feedback.local.features import FEATURES
from feedback_lens.feedback.local.heads import Heads
from feedback_lens.feedback.prompted.dense import LABELS_FORMAT, request_labels
from feedback_lens.feedback.prompted.labeler import AskSettings
from feedback_lens.feedback.prompted.prior import FEEDBACK_FORMAT, request_feedback
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.prompts import read_prompt
from feedback_lens.stages.label import main
from feedback_lens.tables import read_json, read_rows, write_rows
from roles import play_role

PROMPTS = Path(__file__).parents[1] / "prompts"
SAMPLING = Sampling(temperature=1.0, max_tokens=2048)
SETTINGS = AskSettings(structured=False, samples=1, logprobs=False, window=60_000)
TALKS = [dialogue("a", "hi", "hello", "thanks", "bye"), dialogue("b", "one", "m", "two", "m", "no")]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serve(reply=play_role) as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


def label(tmp_path, detector, talks=TALKS, reasks=0, abstain_below=0.0, **settings):
    """The rows and the counts."""
    labeling = label_conversations(
        iter(talks),
        detector,
        tmp_path / "detector",
        PROMPTS,
        AskPolicy("claude", tmp_path, SAMPLING, reasks),
        replace(SETTINGS, **settings),
        abstain_below,
    )
    rows = list(labeling.rows)
    assert [row.keys() for row in rows] == [set(LABELS.names)] * len(rows)
    return rows, labeling.count()


def ask_ours(talk, structured=False):
    template = read_prompt(PROMPTS / "label.txt", {"conversation"})
    return request_labels(talk, template, "claude", SAMPLING, structured)


def ask_prior(talk, structured=False):
    template = read_prompt(PROMPTS / "label_prior.txt", {"conversation"})
    return request_feedback(talk, template, "claude", SAMPLING, structured)


def read(rows):
    return [(row["conversation_id"], row["turn"], row["label"], row["outcome"]) for row in rows]


def labels(*found):
    entries = [{"turn": turn, "label": label} for turn, label in enumerate(found, 2)]
    return json.dumps({"labels": entries})


def listed(*found):
    return json.dumps({"feedback": [{"category": c, "text": text} for c, text in found]})


def test_the_prompted_detector_labels_what_its_model_answers(tmp_path):
    texts = ('{"labels": [{"turn": 2, "label": "POS"}]}', '{"labels": [{"turn": 3, "label": "X"}]}')
    record(tmp_path, zip(map(ask_ours, TALKS), texts, strict=True))
    rows, counts = label(tmp_path, "prompted")
    assert read(rows) == [
        ("a", 2, "POS", "answered"),
        ("b", 2, None, "unreadable"),
        ("b", 3, None, "unreadable"),
    ]
    assert [row["listed"] for row in rows] == [True, False, False]
    # outcomes count turns; tokens those of two replies, 10 + 2 each
    assert counts["model"] == "claude"
    assert (counts["answered"], counts["unreadable"], counts["refused"]) == (1, 2, 0)
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (20, 4)
    assert (counts["calls"], counts["reasked"]) == (2, 0)
    # of two entries one is placed, one has no label that is known; turn 2 of b has none at all
    alignment = {name: number for name, number in counts["alignment"].items() if number}
    assert alignment == {"entries": 2, "placed": 1, "unknown": 1, "missing": 1}
    assert counts["alignment"]["unreadable_replies"] == 0


def test_the_prior_detector_labels_the_turns_that_its_model_lists(tmp_path):
    replies = (listed(("UR5", "Thanks!")), listed(("UR3", "no"), ("UR1", "one")))
    record(tmp_path, zip(map(ask_prior, TALKS), replies, strict=True))
    rows, counts = label(tmp_path, "prior")
    assert [(row["label"], row["listed"], row["outcome"]) for row in rows] == [
        ("POS", True, "answered"),
        ("NEU", False, "answered"),
        ("NEG_3", True, "answered"),
    ]
    assert (counts["answered"], counts["calls"]) == (3, 2)
    # the first turn of b is none that could be listed
    alignment = {name: number for name, number in counts["alignment"].items() if number}
    assert alignment == {"entries": 3, "placed": 2, "extra": 1}


def test_a_reply_with_an_unreadable_turn_is_asked_for_again_as_another_draw(tmp_path):
    first, second = map(ask_ours, TALKS)
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
    # the replies that count alone are aligned
    assert counts["alignment"]["unreadable_replies"] == 0


def test_a_list_that_is_no_list_is_asked_for_again(tmp_path):
    request = ask_prior(TALKS[0])
    record(tmp_path, [(request, "POS"), (replace(request, sample=1), listed(("UR5", "thanks")))])
    rows, counts = label(tmp_path, "prior", TALKS[:1], reasks=1)
    assert read(rows) == [("a", 2, "POS", "answered")]
    assert counts["reasked"] == 1


def test_structured_labels_are_asked_for_by_their_schema(tmp_path):
    ours = [ask_ours(talk, structured=True) for talk in TALKS]
    prior = [ask_prior(talk, structured=True) for talk in TALKS]
    assert ours[0].response_format == LABELS_FORMAT
    assert prior[0].response_format == FEEDBACK_FORMAT
    assert ask_ours(TALKS[0]).response_format is None
    texts = (labels("POS"), labels("NEU", "NEG_1"), listed(), listed(("UR4", "two")))
    record(tmp_path, zip((*ours, *prior), texts, strict=True))
    rows, _ = label(tmp_path, "prompted", structured=True)
    assert [row["label"] for row in rows] == ["POS", "NEU", "NEG_1"]
    rows, _ = label(tmp_path, "prior", structured=True)
    assert [row["label"] for row in rows] == ["NEU", "NEG_4", "NEU"]


def test_several_draws_vote_and_their_agreement_is_the_confidence(tmp_path):
    request = ask_ours(TALKS[1])
    drawn = [labels("POS", "NEU"), labels("POS", "NEG_1"), labels("NEU", "NEG_1"), "no JSON"]
    replies = [(replace(request, sample=n), text) for n, text in enumerate(drawn)]
    # the fourth of four draws is asked for again as sample 3 + 4
    replies.append((replace(request, sample=7), labels("POS", "NEU")))
    record(tmp_path, replies)
    rows, counts = label(tmp_path, "prompted", TALKS[1:], reasks=1, samples=4)
    # turn 2: POS, POS, NEU, POS; turn 3: NEU, NEG_1, NEG_1, NEU, of which NEU came first
    assert [(row["label"], row["confidence"]) for row in rows] == [("POS", 0.75), ("NEU", 0.5)]
    assert (counts["calls"], counts["reasked"], counts["answered"]) == (5, 1, 2)
    assert counts["alignment"]["placed"] == 8


def test_a_label_below_the_threshold_is_abstained_and_counted(tmp_path):
    request = ask_ours(TALKS[1])
    drawn = [labels("POS", "NEU"), labels("POS", "NEG_1")]
    record(tmp_path, [(replace(request, sample=n), text) for n, text in enumerate(drawn)])
    rows, counts = label(tmp_path, "prompted", TALKS[1:], samples=2, abstain_below=0.6)
    assert read(rows) == [("b", 2, "POS", "answered"), ("b", 3, None, "abstained")]
    assert (rows[1]["confidence"], rows[1]["listed"]) == (0.5, True)
    assert (counts["answered"], counts["abstained"]) == (1, 1)
    # a confidence at the threshold stays
    assert label(tmp_path, "prompted", TALKS[1:], samples=2, abstain_below=0.5)[1]["abstained"] == 0


def test_a_label_without_a_confidence_is_never_abstained(tmp_path):
    record(tmp_path, [(ask_prior(TALKS[0]), listed())])
    rows, counts = label(tmp_path, "prior", TALKS[:1], abstain_below=1.0)
    assert read(rows) == [("a", 2, "NEU", "answered")]
    assert counts["abstained"] == 0


def test_log_probabilities_are_asked_for_and_give_the_confidence(tmp_path, server):
    talks = [dialogue(str(n), "hi", "hello", f"turn {n}") for n in range(40)]
    ours, _ = label(tmp_path, "prompted", talks, logprobs=True)
    prior, _ = label(tmp_path, "prior", talks, logprobs=True)
    assert all(body["logprobs"] is True for body in server.received)
    # the server gives a byte -0.1: NEU has three, NEG_1 five, UR1 three
    expected = {"NEU": 0.7408, "POS": 0.7408} | dict.fromkeys(FINE[:4], 0.6065)
    assert all(row["confidence"] == expected[row["label"]] for row in ours)
    assert {row["label"] for row in ours} >= {"NEU", "NEG_2"}
    assert {row["confidence"] for row in prior if row["listed"]} == {0.7408}
    assert {row["confidence"] for row in prior if not row["listed"]} == {None}
    # the draws agree, as the server's replies hang on the messages alone
    both, _ = label(tmp_path, "prompted", talks[:3], logprobs=True, samples=2)
    assert {row["confidence"] for row in both} == {1.0}


@pytest.mark.parametrize("detector", ["prompted", "prior"])
def test_without_log_probabilities_none_are_asked_for(tmp_path, server, detector):
    rows, _ = label(tmp_path, detector)
    assert {row["confidence"] for row in rows} == {None}
    assert not any("logprobs" in body for body in server.received)


@pytest.mark.parametrize("detector", ["prompted", "prior"])
def test_a_long_conversation_is_labeled_window_by_window_without_losing_a_turn(
    tmp_path, server, detector
):
    said = [text for n in range(60) for text in (f"turn {n} " + "word " * (n % 7), "A reply.")]
    talk = dialogue("long", *said)
    [whole, cut] = (
        label(tmp_path, detector, [talk], window=window) for window in (1_000_000, 1000)
    )
    assert (whole[1]["calls"], cut[1]["calls"] >= 4) == (1, True)
    assert [row["turn"] for row in cut[0]] == list(range(2, 61))
    # the server's replies hang on the words of each turn alone
    assert cut[0] == whole[0]
    assert cut[1]["alignment"]["placed"] == whole[1]["alignment"]["placed"]


def test_a_conversation_of_usual_length_is_asked_about_as_a_whole(tmp_path, server):
    label(tmp_path, "prompted")
    label(tmp_path, "prior")
    asked = {body["messages"][0]["content"] for body in server.received}
    requests = [*map(ask_ours, TALKS), *map(ask_prior, TALKS)]
    assert asked == {request.messages[0]["content"] for request in requests}


def test_a_reply_that_is_not_recorded_is_an_error_offline(tmp_path):
    with pytest.raises(InputError, match="label: 2 replies of model 'claude' are not recorded"):
        label(tmp_path, "prompted")


def test_a_conversation_without_a_turn_to_label_is_not_asked_about(tmp_path):
    assert label(tmp_path, "prompted", [dialogue("a", "hi", "hello")])[0] == []


def test_the_local_detector_labels_every_turn_after_the_first(tmp_path):
    # no weights: the intercept of POS alone decides, whatever the text; exp(1) / (exp(1) + 1)
    heads = Heads(("NEU", "POS"), np.zeros((1, 2, FEATURES)), np.array([[0.0, 1.0]]), np.ones(1))
    save_detector(Detector(heads, {}), tmp_path / "detector")
    rows, counts = label(tmp_path, "local")
    assert [(r["conversation_id"], r["turn"]) for r in rows] == [("a", 2), ("b", 2), ("b", 3)]
    assert {(r["label"], r["confidence"], r["listed"]) for r in rows} == {("POS", 0.7311, True)}
    assert (counts["model"], counts["answered"]) == ("detector", 3)
    assert counts.keys() == {"model", *OUTCOMES, "abstained"}
    rows, counts = label(tmp_path, "local", abstain_below=0.74)
    assert (counts["answered"], counts["abstained"]) == (0, 3)


def test_keywords_label_every_turn_without_a_confidence(tmp_path):
    rows, counts = label(tmp_path, "keywords")
    assert [row["label"] for row in rows] == [label_by_keywords(t) for t in ("thanks", "two", "no")]
    assert rows[0]["label"] == "POS"
    assert {(row["confidence"], row["listed"]) for row in rows} == {(None, True)}
    assert counts == {"model": None, **dict.fromkeys(OUTCOMES, 0), "answered": 3, "abstained": 0}


def test_an_unknown_detector_names_the_parameters_and_the_known_ones(tmp_path):
    expected = r"'magic' is no detector; set corpora\.<name>\.detector, .*run\.detection\.detectors"
    with pytest.raises(InputError, match=expected) as caught:
        label(tmp_path, "magic")
    assert all(name in str(caught.value.message) for name in DETECTORS)


def test_a_detector_that_was_not_fitted_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"detector\.json: no such file; `dvc repro"):
        label(tmp_path, "local")


def test_a_log_is_labeled_as_it_is_read(tmp_path):
    """Memory holds what is labeled at once: nobody lists all conversations of a log."""
    made = 0

    def make():
        nonlocal made
        while True:
            made += 1
            yield dialogue(str(made), "hi", "hello", "thanks")

    policy = AskPolicy("claude", tmp_path, SAMPLING, 0)
    labeling = label_conversations(make(), "keywords", tmp_path, PROMPTS, policy, SETTINGS, 0.0)
    assert [next(labeling.rows)["conversation_id"] for _ in range(3)] == ["1", "2", "3"]
    assert made == 3


def options(detector, **others):
    values = {
        **{"conversations": "c.parquet", "detector": detector, "detector_folder": "d"},
        **{"prompts": PROMPTS, "assistant": ".", "labels": "l.parquet", "counts": "l.json"},
        **{"model": "claude", "temperature": 1.0, "max_tokens": 2048, "reasoning_effort": None},
        **{"reasks": 1, "samples": 1, "window": 60000, "abstain_below": 0.0, **others},
    }
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    return [*words, "--no-structured", "--no-logprobs"]


def run_stage(tmp_path, *arguments):
    write_rows((talk.as_row() for talk in TALKS), tmp_path / "c.parquet", CONVERSATIONS)
    with chdir(tmp_path):
        return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("detector", ["prompted", "prior", "keywords"])
def test_the_stage_writes_a_row_for_every_turn_after_the_first(tmp_path, server, detector):
    assert run_stage(tmp_path, *options(detector)).exit_code == 0
    rows = read_rows(tmp_path / "l.parquet")
    assert [(r["conversation_id"], r["turn"]) for r in rows] == [("a", 2), ("b", 2), ("b", 3)]
    assert read_json(tmp_path / "l.json")["answered"] == 3


@pytest.mark.parametrize(
    ("name", "value"), [("samples", 0), ("window", 999), ("abstain_below", 1.5)]
)
def test_the_stage_refuses_values_that_make_no_sense(tmp_path, name, value):
    result = run_stage(tmp_path, *options("keywords", **{name: value}))
    assert result.exit_code == 2
    assert f"--{name}" in result.output and not (tmp_path / "l.parquet").exists()


def test_a_plan_of_the_stage_counts_all_calls_and_sends_none(tmp_path, server):
    with planning() as plan:
        result = run_stage(tmp_path, *options("prior", samples=3))
    assert isinstance(result.exception, Planned)
    demand = plan.demands["label", "claude"]
    # three draws of each of two conversations
    assert (demand.kept, demand.calls) == (0, 6)
    assert server.received == [] and not (tmp_path / "l.parquet").exists()
