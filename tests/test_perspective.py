import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from feedback_lens.analysis import perspective
from feedback_lens.analysis.perspective import MAX_BYTES, score_by_perspective
from feedback_lens.analysis.toxicity import score_toxicity
from feedback_lens.errors import InputError

KEY = "secret-key"


class Service(ThreadingHTTPServer):
    """Comment Analyzer on loopback: the length of a text in hundredths is its toxicity."""

    def __init__(self, *statuses):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)  # of the first answers of analyze, then 200
        self.received, self.paths = [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format, *args):
        pass

    def do_GET(self):
        found = self.path.startswith("/discovery")
        self._send(200 if found else 404, describe(self.server.url) if found else {})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append(body)
        self.server.paths.append(self.path)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status != 200:
            message = "Comment must be non-empty." if status == 400 else "Quota exceeded"
            self._send(status, {"error": {"code": status, "message": message}})
            return
        value = len(body["comment"]["text"]) / 100
        self._send(200, {"attributeScores": {"TOXICITY": {"summaryScore": {"value": value}}}})

    def _send(self, status, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def describe(url):
    """A discovery document with the one method that is called."""
    request = {"id": "AnalyzeCommentRequest", "type": "object"}
    method = {
        "id": "commentanalyzer.comments.analyze",
        "httpMethod": "POST",
        "path": "v1alpha1/comments:analyze",
        "parameters": {},
        "request": {"$ref": "AnalyzeCommentRequest"},
        "response": {"$ref": "AnalyzeCommentRequest"},
    }
    return {
        "kind": "discovery#restDescription",
        "name": "commentanalyzer",
        "version": "v1alpha1",
        "rootUrl": f"{url}/",
        "servicePath": "",
        "parameters": {"key": {"type": "string", "location": "query"}},
        "schemas": {"AnalyzeCommentRequest": request},
        "resources": {"comments": {"methods": {"analyze": method}}},
    }


@contextmanager
def serve(*statuses):
    with Service(*statuses) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("PERSPECTIVE_API_KEY", KEY)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(perspective, "SECONDS_PER_REQUEST", 0.0)
    # the client's own backoff: a random share of 2, 4, ... seconds
    monkeypatch.setattr("random.random", lambda: 0.001)


def score(monkeypatch, server, texts):
    monkeypatch.setenv("PERSPECTIVE_DISCOVERY_URL", f"{server.url}/discovery")
    return score_by_perspective(texts)


def test_the_toxicity_of_each_text_comes_back_in_order(monkeypatch):
    with serve() as server:
        assert score(monkeypatch, server, ["four", "sixsix"]) == [0.04, 0.06]
    assert server.received[0] == {
        "comment": {"text": "four"},
        "requestedAttributes": {"TOXICITY": {}},
        "languages": ["en"],
        "doNotStore": True,
    }
    assert f"key={KEY}" in server.paths[0]


def test_it_is_a_scorer_of_toxicity(monkeypatch):
    row = {"split": "neg", "conversation_id": "a", "turn": 1, "prompt": "four"}
    with serve() as server:
        monkeypatch.setenv("PERSPECTIVE_DISCOVERY_URL", f"{server.url}/discovery")
        assert score_toxicity([row], "perspective")[0]["toxicity"] == 0.04


def test_a_quota_that_is_used_up_is_waited_for(monkeypatch):
    with serve(429, 503) as server:
        assert score(monkeypatch, server, ["four"]) == [0.04]
    assert len(server.received) == 3


def test_a_quota_that_stays_used_up_is_an_error(monkeypatch):
    with (
        serve(*[429] * 6) as server,
        pytest.raises(InputError, match="Perspective answered 429: Quota exceeded"),
    ):
        score(monkeypatch, server, ["four"])
    assert len(server.received) == 6  # once and five retries


def test_a_text_that_is_turned_down_is_an_error_at_once_and_tells_no_key(monkeypatch):
    with serve(400) as server, pytest.raises(InputError) as caught:
        score(monkeypatch, server, ["four"])
    assert "Perspective answered 400: Comment must be non-empty." in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(server.received) == 1


def test_a_long_text_is_cut_between_characters(monkeypatch):
    with serve() as server:
        score(monkeypatch, server, ["x" + "é" * MAX_BYTES])
    (body,) = server.received
    # 1 byte and 2 a character: 20479 of 20480 bytes, the last character whole
    assert body["comment"]["text"] == "x" + "é" * (MAX_BYTES // 2 - 1)


def test_requests_keep_their_distance(monkeypatch):
    waits = []
    monkeypatch.setattr(perspective, "SECONDS_PER_REQUEST", 60.0)
    with serve() as server:
        monkeypatch.setattr(perspective.time, "sleep", waits.append)
        score(monkeypatch, server, ["a", "b"])
    assert len(waits) == 2
    assert all(50 < wait <= 60 for wait in waits)


def test_a_service_that_is_gone_is_an_error(monkeypatch):
    with serve() as server:
        monkeypatch.setenv("PERSPECTIVE_DISCOVERY_URL", f"{server.url}/gone")
        with pytest.raises(InputError, match="Perspective cannot be reached"):
            score_by_perspective(["four"])
    # now nothing listens at all
    with pytest.raises(InputError, match="Perspective cannot be reached") as caught:
        score(monkeypatch, server, ["four"])
    assert KEY not in str(caught.value)


def test_a_missing_key_says_what_to_set(monkeypatch):
    monkeypatch.delenv("PERSPECTIVE_API_KEY")
    with pytest.raises(InputError, match=r"needs PERSPECTIVE_API_KEY; set it, or set.*lexicon"):
        score_by_perspective(["four"])
