"""What the Batch API of the loopback endpoint does with files, and how it misbehaves."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faults import ERRORS, FINAL_ERRORS, complete, describe_error, error_body
from request_checks import RequestError, check_body

if TYPE_CHECKING:
    from endpoint import Endpoint

URL = "/v1/chat/completions"
# a status lasts for `pace` looks at the batch
STATUSES = ("validating", "in_progress", "finalizing")
EXPIRED = "This request could not be executed before the completion window expired."
CANCELLED = "This request was not executed because the batch was cancelled."
# what may become of a line, beside the names in faults.py: `missing`, `twice`, `garbage`,
# `unknown_id`, `no_response`
LinePlan = Callable[[int, Mapping[str, Any]], str | None]


@dataclass
class StoredFile:
    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int = field(default_factory=lambda: int(time.time()))

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass
class Job:
    """A batch; `looks` counts how often it was asked for."""

    id: str
    input_file: str
    endpoint: str
    metadata: dict[str, str] | None
    requests: list[dict[str, Any]]
    status: str = "validating"
    errors: list[dict[str, Any]] = field(default_factory=list)
    output_file: str | None = None
    error_file: str | None = None
    completed: int = 0
    failed: int = 0
    looks: int = 0
    cancelling: bool = False
    created_at: int = field(default_factory=lambda: int(time.time()))

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_file,
            "error_file_id": self.error_file,
            "created_at": self.created_at,
            "metadata": self.metadata,
            "request_counts": {
                "total": len(self.requests),
                "completed": self.completed,
                "failed": self.failed,
            },
        }


@dataclass
class Batches:
    """Files and batches, with what tests may set while it runs and what they may read.

    `answered` counts by custom id what was billed; `sent` the custom ids of all created batches.
    """

    endpoint: Endpoint
    exists: bool = True  # False: 404 for all paths, as a server without the API
    takes_batches: bool = True  # False: 404 for those of batches, though it takes files
    refuses_batches: bool = False  # with 400, as soon as one is created
    wrong_key: bool = False  # every key is one
    pace: int = 1  # looks that a status lasts
    most_lines: int = 50_000
    most_bytes: int = 200_000_000
    enqueued: int | None = None  # requests that may be under way at once
    refusal: tuple[str, str] | None = None  # code and message with which validation fails
    answer_only: int | None = None  # so many lines of a batch, which then expires
    end: str = "expired"  # or cancelled, where `answer_only` is set
    line_plan: LinePlan = lambda number, body: None
    reverse: bool = False  # the order of results
    # so many of the next calls fail with 500, though what was asked is done
    lose: Counter[str] = field(default_factory=Counter)  # by upload, create, retrieve, delete
    cut: int = 0  # of the next downloads, so many break off in the middle
    stall: str | None = None  # uploaded, created, retrieving, downloading: hang there
    keeps_metadata: bool = True

    def __post_init__(self) -> None:
        self.files: dict[str, StoredFile] = {}
        self.jobs: dict[str, Job] = {}
        self.answered: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.deleted: list[str] = []
        self.stalled = threading.Event()

    def store(self, filename: str, purpose: str, content: bytes) -> StoredFile:
        """Keep a file."""
        number = len(self.files) + len(self.deleted)
        stored = StoredFile(f"file-{number}", filename, purpose, content)
        self.files[stored.id] = stored
        return stored

    def create(self, body: Mapping[str, Any]) -> Job:
        """Make a batch; what is wrong with its file shows when it is looked at."""
        if self.refuses_batches:
            raise RequestError(400, "Batches are not for this account.")
        stored = self.files.get(str(body.get("input_file_id")))
        if stored is None or stored.purpose != "batch":
            raise RequestError(400, f"Invalid input_file_id {body.get('input_file_id')!r}")
        if body.get("completion_window") != "24h":
            raise RequestError(400, "Invalid completion_window", param="completion_window")
        metadata = body.get("metadata") if self.keeps_metadata else None
        job = Job(f"batch_{len(self.jobs)}", stored.id, str(body["endpoint"]), metadata, [])
        job.requests, job.errors = self._validate(stored.content, job.endpoint)
        if not job.errors and self.refusal:
            job.errors = [_error(*self.refusal)]
        under_way = sum(len(j.requests) for j in self.jobs.values() if j.status in STATUSES)
        if self.enqueued is not None and under_way + len(job.requests) > self.enqueued:
            message = f"Enqueued token limit reached for m. Limit: {self.enqueued} enqueued tokens."
            job.errors = [_error("token_limit_exceeded", message)]
        self.jobs[job.id] = job
        self.sent.update(request["custom_id"] for request in job.requests if not job.errors)
        return job

    def look(self, job: Job) -> Job:
        """Let a batch go on by one look."""
        if job.status not in (*STATUSES, "cancelling"):
            return job
        job.looks += 1
        if job.status == "validating" and job.input_file not in self.files:
            job.errors.append(_error("invalid_file", "The input file is not there any more."))
        if job.errors:
            job.status = "failed"
            return job
        step = job.looks // self.pace
        if step < len(STATUSES) and not job.cancelling:
            job.status = STATUSES[step]
            return job
        self._run(job)
        return job

    def _run(self, job: Job) -> None:
        most = len(job.requests) if self.answer_only is None else self.answer_only
        most = 0 if job.cancelling else most
        answers, errors = [], []
        for number, request in enumerate(job.requests):
            fault = self.line_plan(number, request["body"])
            if number >= most:
                end = "cancelled" if job.cancelling else self.end
                message = EXPIRED if end == "expired" else CANCELLED
                errors.append(_line(request, None, {"code": f"batch_{end}", "message": message}))
            elif fault == "missing":
                continue
            elif fault in ERRORS or fault == "no_response" or _is_refused(request["body"]):
                errors.append(self._refuse(request, fault))
            else:
                answers += self._answer(request, fault)
        whole = most == len(job.requests)
        job.status = "completed" if whole else "cancelled" if job.cancelling else self.end
        job.completed, job.failed = len(answers), len(errors)
        job.output_file = self._write(job, "output", answers)
        job.error_file = self._write(job, "error", errors)

    def _answer(self, request: Mapping[str, Any], fault: str | None) -> list[bytes]:
        body = request["body"]
        self.answered[request["custom_id"]] += 1
        self.endpoint.count(body)
        completion = complete(body, self.endpoint.reply(body), fault)
        line = _line(request, {"status_code": 200, "request_id": "r", "body": completion}, None)
        if fault == "garbage":
            return [line[: len(line) // 2]]
        if fault == "unknown_id":
            return [line, line.replace(request["custom_id"].encode(), b"of-nobody")]
        return [line, line] if fault == "twice" else [line]

    def _refuse(self, request: Mapping[str, Any], fault: str | None) -> bytes:
        if fault == "no_response":
            return _line(request, None, {"code": "server_error", "message": "No answer came"})
        if fault in FINAL_ERRORS:
            self.endpoint.count(request["body"])
        if fault in ERRORS:
            status, content = describe_error(fault, "Bearer sk-loopback-0123456789")
        else:
            status, content = 400, error_body("This is no chat completion", 400)
        return _line(request, {"status_code": status, "request_id": "r", "body": content}, None)

    def _write(self, job: Job, kind: str, lines: list[bytes]) -> str | None:
        if not lines:
            return None
        lines = lines[::-1] if self.reverse else lines
        return self.store(f"{job.id}_{kind}.jsonl", "batch_output", b"\n".join([*lines, b""])).id

    def _validate(
        self, content: bytes, endpoint: str
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        requests: list[dict[str, Any]] = []
        errors = []
        lines = [line for line in content.split(b"\n") if line]
        if not lines:
            errors.append(_error("empty_file", "The batch file is empty."))
        if len(lines) > self.most_lines:
            errors.append(_error("too_many_tasks", f"The limit is {self.most_lines} requests."))
        seen: set[str] = set()
        for number, line in enumerate(lines, start=1):
            try:
                request = json.loads(line)
            except ValueError:
                errors.append(_error("invalid_json_line", "This line is not valid JSON.", number))
                continue
            requests.append(request)
            if fault := _check_line(request, endpoint, seen, requests[0]):
                errors.append(_error(*fault, number))
            seen.add(request.get("custom_id"))
        return requests, errors


def _check_line(
    request: Mapping[str, Any], endpoint: str, seen: set[str], first: Mapping[str, Any]
) -> tuple[str, str] | None:
    name = request.get("custom_id")
    if not isinstance(name, str) or request.get("method") != "POST":
        return "missing_required_parameter", "custom_id, method, url and body are required."
    if name in seen:
        return "duplicate_custom_id", f"The custom_id {name!r} is a duplicate of another request."
    if request.get("url") != endpoint or endpoint != URL:
        return "url_mismatch", "The URL does not match the batch's endpoint."
    if request["body"].get("model") != first["body"].get("model"):
        return "model_mismatch", "All requests of a batch must have the same model."
    return None


def _is_refused(body: Mapping[str, Any]) -> bool:
    try:
        check_body(body)
    except RequestError:
        return True
    return False


def _line(
    request: Mapping[str, Any], response: dict[str, Any] | None, error: dict[str, str] | None
) -> bytes:
    content = {"id": "batch_req_0", "custom_id": request["custom_id"]}
    # as OpenAI's, text that is not ASCII stands as it is, other line separators with it
    text = json.dumps(content | {"response": response, "error": error}, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _error(code: str, message: str, line: int | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "line": line, "param": None}
