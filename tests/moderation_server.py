"""Perspective and OpenAI's moderations endpoint on loopback: a real HTTP server that can misbehave.

The score of a text is its length in hundredths. Faults are taken one a request, in their order
(None: it answers well):
`with serve("quota", "hang_up") as server: ...`; then it answers well.
"""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PERSPECTIVE_KEY = "AIza-perspective-0123456789"
OPENAI_KEY = "sk-moderation-0123456789"
LONGEST = 20480  # bytes, Perspective's limit
CATEGORIES = ("harassment", "hate", "violence")


def google_error(status, message, **detail):
    """An error as Google's APIs send it."""
    error = {"code": status, "message": message, "status": "INVALID_ARGUMENT"}
    return status, {"error": error | ({"details": [detail]} if detail else {})}


def openai_error(status, message, **fields):
    """An error as OpenAI sends it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return status, {"error": error | fields}


PERSPECTIVE_ERRORS = {
    "quota": google_error(429, "Quota exceeded for quota metric 'Analysis requests'"),
    "old_quota": (
        403,
        {"error": {"message": "Rate Limit Exceeded", "errors": [{"reason": "rateLimitExceeded"}]}},
    ),
    "unavailable": google_error(503, "The service is currently unavailable."),
    "disabled": google_error(403, "Perspective Comment Analyzer API has not been used"),
    "bad_key": google_error(400, "API key not valid.", reason="API_KEY_INVALID"),
    "bad_attribute": google_error(400, "Unknown requested attribute: RUDE"),
    "language": google_error(
        400,
        "Attribute TOXICITY does not support request languages: xx",
        errorType="LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
    ),
    "undetected": google_error(400, "No language.", errorType="LANGUAGE_DETECTION_FAILED"),
    "no_scores": (200, {"languages": ["en"]}),
    "list": (200, [1, 2]),
    "echo": (
        200,
        {
            "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.5}}},
            "clientToken": PERSPECTIVE_KEY,
        },
    ),
    "odd_error": (500, {"error": {"message": "odd", "details": "none"}}),
}
OPENAI_ERRORS = {
    "quota": openai_error(429, "Rate limit reached", code="rate_limit_exceeded"),
    "no_credit": openai_error(429, "You exceeded your quota", code="insufficient_quota"),
    "unavailable": openai_error(503, "Overloaded"),
    "bad_key": openai_error(401, "Incorrect API key provided", code="invalid_api_key"),
    "no_path": openai_error(404, "Not found"),
    "no_model": openai_error(400, "Invalid value for model", param="model"),
    "no_scores": (200, {"results": []}),
    "list": (200, [1, 2]),
    "echo": (
        200,
        {"model": OPENAI_KEY, "results": [{"category_scores": dict.fromkeys(CATEGORIES, 0.5)}]},
    ),
}


class ModerationServer(ThreadingHTTPServer):
    """Both services; `received` holds (path, body) of every request, `scored` the texts."""

    daemon_threads = True

    def __init__(self, *faults):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults, self.received, self.scored, self.times = list(faults), [], [], []
        self.latency = 0.0
        self.retry_after = None
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self, folder):
        """Environment variables that lead to it, with a store in a folder."""
        return {
            "PERSPECTIVE_API_KEY": PERSPECTIVE_KEY,
            "PERSPECTIVE_DISCOVERY_URL": f"{self.url}/discovery",
            "OPENAI_API_KEY": OPENAI_KEY,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "FEEDBACK_LENS_STORE": str(folder / "store.sqlite"),
            "FEEDBACK_LENS_OFFLINE": "",
            "FEEDBACK_LENS_RPM": "60000",
            "no_proxy": "127.0.0.1",
        }

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format, *args):
        pass

    def do_GET(self):
        found = self.path.startswith("/discovery")
        self._send(200 if found else 404, describe(self.server.url) if found else {})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.received.append((self.path, body))
            server.times.append(time.monotonic())
            fault = server.faults.pop(0) if server.faults else None
        time.sleep(server.latency)
        if fault == "hang_up":
            self.connection.close()
            return
        if fault == "page":
            self._send_bytes(200, b"<html>a proxy</html>", "text/html")
            return
        is_perspective = self.path.startswith("/v1alpha1")
        errors = PERSPECTIVE_ERRORS if is_perspective else OPENAI_ERRORS
        answer = self._analyze if is_perspective else self._moderate
        self._send(*(errors[fault] if fault else answer(body)))

    def _analyze(self, body):
        text = body["comment"]["text"]
        if f"key={PERSPECTIVE_KEY}" not in self.path:
            return PERSPECTIVE_ERRORS["bad_key"]
        if not text.strip():
            return google_error(400, "Comment must be non-empty.", errorType="COMMENT_EMPTY")
        if len(text.encode()) > LONGEST:
            return google_error(400, "Comment text too long.", errorType="COMMENT_TOO_LONG")
        self._note(text)
        (attribute,) = body["requestedAttributes"]
        score = {"value": min(1.0, len(text) / 100), "type": "PROBABILITY"}
        languages = body.get("languages", ["en"])
        scores = {attribute: {"summaryScore": score}}
        return 200, {"attributeScores": scores, "languages": languages}

    def _moderate(self, body):
        text = body["input"]
        if self.path != "/v1/moderations":
            return OPENAI_ERRORS["no_path"]
        if self.headers["Authorization"] != f"Bearer {OPENAI_KEY}":
            return OPENAI_ERRORS["bad_key"]
        if not text:
            return openai_error(400, "Input must not be empty", param="input")
        self._note(text)
        scores = {name: min(1.0, len(text) / 100 / n) for n, name in enumerate(CATEGORIES, 1)}
        result = {"flagged": False, "category_scores": scores}
        return 200, {"id": "modr-1", "model": f"{body['model']}-2024", "results": [result]}

    def _note(self, text):
        with self.server.lock:
            self.server.scored.append(text)

    def _send(self, status, content):
        self._send_bytes(status, json.dumps(content).encode(), "application/json")

    def _send_bytes(self, status, data, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status >= 400 and self.server.retry_after is not None:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        self.wfile.write(data)


def describe(url):
    """Perspective's discovery document, with the one method that is called."""
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
def serve(*faults):
    """A server that answers while the block runs."""
    with ModerationServer(*faults) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
