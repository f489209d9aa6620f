"""Scores through the response store: what is asked, kept, replayed, counted and refused."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.calls.planning import Planned, planning
from feedback_lens.calls.request import Response
from feedback_lens.calls.snapshot import write_snapshot
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError
from feedback_lens.moderation.asking import score_texts
from feedback_lens.moderation.openai_moderation import build_openai_moderation
from feedback_lens.moderation.perspective import build_perspective
from moderation_server import OPENAI_KEY, PERSPECTIVE_KEY, serve

THERE, GONE = date(2026, 11, 23), date(2026, 12, 31)
SCORERS = {
    "perspective": build_perspective("TOXICITY", "en"),
    "openai_moderation": build_openai_moderation("omni-moderation-latest", "harassment"),
}
each_service = pytest.mark.parametrize("name", SCORERS)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("feedback_lens.moderation.service.BACKOFF", (0.01, 0.05))


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / "recorded").mkdir()
    return tmp_path / "recorded"


def score(monkeypatch, server, recorded, texts, scorer, today=THERE, **settings):
    for name, value in (server.environment(recorded.parent) | settings).items():
        monkeypatch.setenv(name, value)
    return score_texts(texts, scorer, recorded, "score_toxicity", today)


@each_service
def test_scores_stand_in_the_order_of_the_texts_and_each_text_is_asked_once(
    monkeypatch, recorded, name
):
    with serve() as server:
        verdicts, tally = score(
            monkeypatch, server, recorded, ["four", "sixsix", "four"], SCORERS[name]
        )
        assert verdicts == [(0.04, "answered"), (0.06, "answered"), (0.04, "answered")]
        assert sorted(server.scored) == ["four", "sixsix"]
        assert tally["calls"] == 2
        again, _ = score(monkeypatch, server, recorded, ["sixsix", "new"], SCORERS[name])
    assert again == [(0.06, "answered"), (0.03, "answered")]
    assert sorted(server.scored) == ["four", "new", "sixsix"]


def test_perspective_is_asked_for_an_attribute_in_a_language_and_told_to_keep_nothing(
    monkeypatch, recorded
):
    with serve() as server:
        score(monkeypatch, server, recorded, ["four"], build_perspective("INSULT", "de"))
        score(monkeypatch, server, recorded, ["four"], build_perspective("INSULT", None))
    (path, named), (_, detected) = server.received
    assert f"key={PERSPECTIVE_KEY}" in path
    assert named == {
        "comment": {"text": "four", "type": "PLAIN_TEXT"},
        "requestedAttributes": {"INSULT": {}},
        "languages": ["de"],
        "doNotStore": True,
    }
    assert detected == {key: value for key, value in named.items() if key != "languages"}


def test_another_category_of_the_same_moderation_costs_no_call(monkeypatch, recorded):
    hate = build_openai_moderation("omni-moderation-latest", "hate")
    with serve() as server:
        score(monkeypatch, server, recorded, ["four"], SCORERS["openai_moderation"])
        verdicts, _ = score(monkeypatch, server, recorded, ["four"], hate)
    assert verdicts == [(0.02, "answered")]  # the second category: half of .04
    assert server.received == [
        ("/v1/moderations", {"input": "four", "model": "omni-moderation-latest"})
    ]


def test_a_category_that_the_model_does_not_score_is_an_error_that_names_those_it_does(
    monkeypatch, recorded
):
    wrong = build_openai_moderation("omni-moderation-latest", "harrassment")
    with (
        serve() as server,
        pytest.raises(InputError, match=r"'harrassment'.*harassment, hate, vio"),
    ):
        score(monkeypatch, server, recorded, ["four"], wrong)


def test_the_keys_of_scores_stay():
    # a change here would have all scores asked for again
    keys = {name: scorer.request("hello").key[:16] for name, scorer in SCORERS.items()}
    assert keys == {"perspective": "deb07857f6e363cb", "openai_moderation": "8e3d3a769df48aa6"}
    other = build_perspective("TOXICITY", "de").request("hello").key
    assert other != SCORERS["perspective"].request("hello").key


@each_service
@pytest.mark.parametrize("fault", ["quota", "unavailable", "hang_up", "page", "no_scores", "list"])
def test_what_passes_is_waited_for(monkeypatch, recorded, name, fault):
    with serve(fault, fault) as server:
        verdicts, _ = score(monkeypatch, server, recorded, ["four"], SCORERS[name])
    assert verdicts == [(0.04, "answered")]
    assert len(server.received) == 3


@pytest.mark.parametrize("fault", ["old_quota", "odd_error"])
def test_google_s_other_ways_of_saying_so_are_known(monkeypatch, recorded, fault):
    with serve(fault) as server:
        verdicts, _ = score(monkeypatch, server, recorded, ["four"], SCORERS["perspective"])
    assert verdicts == [(0.04, "answered")]


def test_a_quota_costs_no_try_however_often_it_is_used_up(monkeypatch, recorded):
    with serve(*["quota"] * 12) as server:
        verdicts, _ = score(
            monkeypatch,
            server,
            recorded,
            ["four"],
            SCORERS["perspective"],
            FEEDBACK_LENS_RETRIES="0",
        )
    assert verdicts == [(0.04, "answered")]


def test_a_quota_that_is_used_up_for_long_ends_the_stage_and_keeps_what_was_answered(
    monkeypatch, recorded
):
    settings = {"FEEDBACK_LENS_TOTAL_TIMEOUT": "0.2", "FEEDBACK_LENS_CONCURRENCY": "1"}
    with serve() as server:
        score(monkeypatch, server, recorded, ["one"], SCORERS["perspective"])
        server.faults = ["quota"] * 1000
        with pytest.raises(InputError, match=r"HTTP 429: Quota exceeded.*no more were sent"):
            texts = ["one", "two", "three"]
            score(monkeypatch, server, recorded, texts, SCORERS["perspective"], **settings)
        server.faults = []
        verdicts, _ = score(monkeypatch, server, recorded, texts, SCORERS["perspective"])
    assert [value for value, _ in verdicts] == [0.03, 0.03, 0.05]
    assert sorted(server.scored) == ["one", "three", "two"]


def test_a_service_s_own_wait_is_kept_by_all_requests(monkeypatch, recorded):
    with serve("quota") as server:
        server.retry_after = "0.3"
        score(monkeypatch, server, recorded, ["a", "bb", "ccc"], SCORERS["perspective"])
    first, *later = server.times
    # the three may leave together; what leaves after the refusal waits
    assert later[-1] - first >= 0.3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("language", "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE: HTTP 400: Attribute TOXICITY does not"),
        ("undetected", "LANGUAGE_DETECTION_FAILED: HTTP 400: No language."),
    ],
)
def test_a_text_in_a_language_that_is_not_known_is_failed_for_good_with_the_words(
    monkeypatch, recorded, fault, words
):
    with serve(fault) as server:
        verdicts, _ = score(monkeypatch, server, recorded, ["xx", "four"], SCORERS["perspective"])
        assert sorted(outcome for _, outcome in verdicts) == ["answered", "failed"]
        assert None in [value for value, _ in verdicts]
        again, _ = score(monkeypatch, server, recorded, ["xx", "four"], SCORERS["perspective"])
    assert again == verdicts
    assert len(server.received) == 2
    (kept,) = [row for row in read_store(recorded) if row["outcome"] == "failed"]
    assert kept["text"].startswith(words)


def test_an_empty_and_a_too_long_text_are_failed_and_stop_nothing(monkeypatch, recorded):
    texts = [" ", "x" * 20481, "four"]
    with serve() as server:
        verdicts, _ = score(monkeypatch, server, recorded, texts, SCORERS["perspective"])
    assert verdicts == [(None, "failed"), (None, "failed"), (0.04, "answered")]
    kept = {row["text"].partition(":")[0] for row in read_store(recorded)}
    assert {"COMMENT_EMPTY", "COMMENT_TOO_LONG"} < kept


def test_a_text_that_openai_refuses_is_failed(monkeypatch, recorded):
    with serve() as server:
        verdicts, _ = score(
            monkeypatch, server, recorded, ["", "four"], SCORERS["openai_moderation"]
        )
    assert verdicts == [(None, "failed"), (0.04, "answered")]


@pytest.mark.parametrize(
    ("name", "fault", "words"),
    [
        ("perspective", "disabled", "HTTP 403: Perspective Comment Analyzer API has not been used"),
        ("perspective", "bad_key", "HTTP 400: API key not valid"),
        ("perspective", "bad_attribute", "HTTP 400: Unknown requested attribute: RUDE"),
        ("openai_moderation", "bad_key", "HTTP 401: Incorrect API key"),
        ("openai_moderation", "no_path", "HTTP 404: Not found"),
        ("openai_moderation", "no_credit", "HTTP 429: You exceeded your quota"),
        ("openai_moderation", "no_model", "HTTP 400: Invalid value for model"),
    ],
)
def test_what_every_request_would_meet_stops_the_stage_with_a_mend(
    monkeypatch, recorded, name, fault, words
):
    texts = [str(number) for number in range(50)]
    with serve(*[fault] * 50) as server, pytest.raises(InputError) as caught:
        score(monkeypatch, server, recorded, texts, SCORERS[name], FEEDBACK_LENS_CONCURRENCY="1")
    said = str(caught.value)
    assert words in said
    key = "PERSPECTIVE_API_KEY" if name == "perspective" else "OPENAI_API_KEY"
    assert f"check {key}" in said and "run again" in said
    # one that is refused may be its own fault where it is no 401, 403 or 404
    assert len(server.received) == (16 if fault == "no_model" else 1)


def test_an_api_that_is_switched_off_midway_stops_the_stage_and_what_was_scored_is_kept(
    monkeypatch, recorded
):
    texts = [str(number) for number in range(9)]
    settings = {"FEEDBACK_LENS_CONCURRENCY": "1"}
    with serve(None, None, "disabled", "disabled") as server:
        with pytest.raises(InputError, match=r"HTTP 403.*no more were sent; 2 were answered"):
            score(monkeypatch, server, recorded, texts, SCORERS["perspective"], **settings)
        assert (len(server.received), len(read_store(recorded))) == (3, 2)


@each_service
def test_a_key_that_the_service_repeats_is_not_kept(monkeypatch, recorded, name):
    with serve("echo") as server:
        verdicts, _ = score(monkeypatch, server, recorded, ["four"], SCORERS[name])
    assert verdicts == [(0.5, "answered")]
    kept = str(read_store(recorded))
    assert "[key]" in kept
    assert PERSPECTIVE_KEY not in kept and OPENAI_KEY not in kept


@each_service
def test_a_service_that_is_not_there_is_an_error_without_the_key(
    monkeypatch, recorded, name, caplog
):
    with serve() as server:
        pass
    settings = {"FEEDBACK_LENS_RETRIES": "1"}
    with pytest.raises(InputError) as caught:
        score(monkeypatch, server, recorded, ["four"], SCORERS[name], **settings)
    said = str(caught.value)
    assert "score_toxicity" in said
    assert not [key for key in (PERSPECTIVE_KEY, OPENAI_KEY) if key in said + caplog.text]


def test_a_discovery_that_fails_shows_no_key(monkeypatch, recorded, caplog):
    with serve() as server, pytest.raises(InputError, match="Perspective cannot be reached") as e:
        settings = {"PERSPECTIVE_DISCOVERY_URL": f"{server.url}/gone"}
        score(monkeypatch, server, recorded, ["four"], SCORERS["perspective"], **settings)
    assert PERSPECTIVE_KEY not in str(e.value) + caplog.text


def test_requests_leave_one_a_second_unless_a_pace_is_set(monkeypatch, recorded):
    with serve() as server:
        score(
            monkeypatch, server, recorded, ["a", "b"], SCORERS["perspective"], FEEDBACK_LENS_RPM=""
        )
    first, second = server.times
    # a second apart, less the quarter that may leave at once after silence
    assert 0.7 < second - first < 1.6
    with serve() as server:
        score(
            monkeypatch, server, recorded, list("cdefgh"), SCORERS["perspective"]
        )  # 1000 a second
    assert server.times[-1] - server.times[0] < 0.7


@each_service
def test_a_missing_key_says_how_many_scores_are_missing_and_what_to_set(
    monkeypatch, recorded, name
):
    key = {"perspective": "PERSPECTIVE_API_KEY", "openai_moderation": "OPENAI_API_KEY"}[name]
    with serve() as server:
        score(monkeypatch, server, recorded, ["one"], SCORERS[name])
        with pytest.raises(InputError, match=rf"2 replies of model .* set {key}"):
            score(
                monkeypatch, server, recorded, ["one", "two", "three"], SCORERS[name], **{key: ""}
            )
    assert server.scored == ["one"]


@each_service
def test_offline_what_is_kept_is_scored_and_what_is_not_is_named(monkeypatch, recorded, name):
    offline = {"FEEDBACK_LENS_OFFLINE": "1"}
    with serve() as server:
        score(monkeypatch, server, recorded, ["one"], SCORERS[name])
        verdicts, _ = score(monkeypatch, server, recorded, ["one"], SCORERS[name], **offline)
        assert verdicts == [(0.03, "answered")]
        with pytest.raises(InputError, match=r"1 replies of model .*FEEDBACK_LENS_OFFLINE=1"):
            score(monkeypatch, server, recorded, ["two"], SCORERS[name], **offline)
    assert server.scored == ["one"]


def test_recorded_scores_replay_after_the_service_s_end_and_new_ones_are_refused(
    monkeypatch, recorded, tmp_path, capsys
):
    with serve() as server:
        score(monkeypatch, server, recorded, ["one"], SCORERS["perspective"])
        assert "is shut down on 2026-12-31 (in 38 days)" in capsys.readouterr().err
        write_snapshot(read_store(recorded), recorded)
        elsewhere = {"FEEDBACK_LENS_STORE": str(tmp_path / "new.sqlite")}
        args = (monkeypatch, server, recorded)
        verdicts, _ = score(*args, ["one"], SCORERS["perspective"], GONE, **elsewhere)
        assert verdicts == [(0.03, "answered")]
        with pytest.raises(InputError, match=r"1 replies.*'perspective' was shut down on 2026-12"):
            score(*args, ["one", "two"], SCORERS["perspective"], GONE, **elsewhere)
    assert server.scored == ["one"]


def test_planning_counts_what_would_be_asked_and_asks_nothing(monkeypatch, recorded):
    with serve() as server:
        score(monkeypatch, server, recorded, ["one"], SCORERS["perspective"])
        with planning() as tally, pytest.raises(Planned):
            score(
                monkeypatch, server, recorded, ["one", "two", "three"], SCORERS["perspective"], GONE
            )
    demand = tally.demand("score_toxicity", "perspective")
    assert (demand.kept, demand.calls, demand.prompt_characters) == (1, 2, 8)
    assert server.scored == ["one"]


def test_store_stats_tell_scorer_stage_and_outcome(monkeypatch, recorded):
    with serve() as server:
        score(monkeypatch, server, recorded, ["one", " "], SCORERS["perspective"])
    store = ResponseStore(recorded.parent / "store.sqlite")
    counts = [row[:3] for row in store.stats()]
    assert counts == [("perspective", "answered", 1), ("perspective", "failed", 1)]
    ((stage, model, provider, answers, usd, _),) = store.spending()
    assert (stage, model, provider, answers, usd) == (
        "score_toxicity",
        "perspective",
        "endpoint",
        2,
        0.0,
    )
    store.close()


SCRIPT = """
import sys
from datetime import date
from pathlib import Path
from feedback_lens.moderation.asking import score_texts
from feedback_lens.moderation.perspective import build_perspective
texts = [f"text {number}" for number in range(40)]
found, _ = score_texts(
    texts, build_perspective("TOXICITY", "en"), Path(sys.argv[1]), "score_toxicity", date(2026, 11, 23)
)
print(sum(score is not None for score, _ in found))
"""


def test_after_kill_9_nothing_that_was_answered_and_kept_is_asked_again(recorded):
    with serve() as server:
        server.latency = 0.05
        environment = {
            **os.environ,
            **server.environment(recorded.parent),
            "FEEDBACK_LENS_CONCURRENCY": "1",
            "PYTHONPATH": str(Path(__file__).parents[1] / "src"),
        }
        command = [sys.executable, "-c", SCRIPT, str(recorded)]
        for wanted in (5, 15):
            process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            while len(server.scored) < wanted:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "40\n"
    assert len(set(server.scored)) == 40
    # at each kill one request was under way at most
    assert len(server.scored) <= 42


SCORED = build_perspective("TOXICITY", None)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(VALUES)
def test_a_reply_of_any_shape_has_a_score_in_0_to_1_or_is_unreadable(value):
    reply = {"attributeScores": {"TOXICITY": {"summaryScore": {"value": value}}}}
    for content in (value, reply):
        score, outcome = SCORED.read_verdict(Response("answered", json.dumps(content)))
        assert (outcome == "answered") == (score is not None)
        assert score is None or 0 <= score <= 1


@pytest.mark.parametrize("text", [None, "", "not JSON", "[" * 100_000, "null", '"x"', "NaN"])
def test_a_reply_that_is_no_json_of_scores_is_unreadable(text):
    for scorer in SCORERS.values():
        assert scorer.read_verdict(Response("answered", text)) == (None, "unreadable")


def test_an_outcome_that_is_no_answer_stays_and_has_no_score():
    assert SCORED.read_verdict(Response("failed", "COMMENT_EMPTY")) == (None, "failed")


def read_store(recorded):
    store = ResponseStore(recorded.parent / "store.sqlite")
    rows = list(store.rows())
    store.close()
    return rows
