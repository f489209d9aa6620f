"""A real HTTP server on loopback that speaks the OpenAI chat completions API, for all tests.

It counts what it answered and misbehaves on demand (`faults`). In a test:
`with serve(plan=first(2, "rate_limited")) as server: ... server.base_url`. On the command line:
`python tests/endpoint.py --port 0 --port-file F --requests-log F --latency 0.2 --hold 20`.
"""

import argparse
import hashlib
import json
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from faults import BEHAVES, ERRORS, FINAL_ERRORS, NO_COMPLETIONS, Plan, complete, hold_after
from roles import play_role

KEY = "sk-loopback-0123456789"


def fingerprint(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a request's model and messages."""
    content = {"model": body["model"], "messages": body["messages"]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class Endpoint(ThreadingHTTPServer):
    """The server. `received` holds the bodies as they came, `answered` counts by fingerprint."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        port: int = 0,
        reply: Callable[[Mapping[str, Any]], str] = play_role,
        plan: Plan = BEHAVES,
        latency: float = 0.0,
        retry_after: str | None = None,
        requests_log: Path | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.reply, self.plan = reply, plan
        self.latency, self.retry_after = latency, retry_after
        self.requests_log = requests_log
        self.received: list[dict[str, Any]] = []
        self.answered: Counter[str] = Counter()
        self.hanging = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: a client that was killed or timed out is part of the tests."""

    def admit(self, body: dict[str, Any]) -> str | None:
        """Note an arrival; returns the fault it is to meet."""
        with self._lock:
            self.received.append(body)
            fault = self.plan(len(self.received) - 1, body)
            self.hanging += fault == "hang"
            return fault

    def count(self, body: Mapping[str, Any]) -> None:
        """Note an answer, before it is sent: what a client has is always counted."""
        name = fingerprint(body)
        with self._lock:
            self.answered[name] += 1
            if self.requests_log:
                with self.requests_log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"request": name, "model": body["model"]}) + "\n")


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # head and body in one packet

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self._send_json(404, {"error": {"message": f"no such path: {self.path}"}})
            return
        fault = self.server.admit(body)
        time.sleep(self.server.latency)
        if fault in ERRORS:
            self._send_error(fault, body)
        elif fault in NO_COMPLETIONS:
            self._send(200, *NO_COMPLETIONS[fault])
        elif fault in ("hang", "reset", "half_body"):
            self._break(fault)
        else:
            completion = complete(body, self.server.reply(body), fault)
            self.server.count(body)
            self._send_json(200, completion)

    def _send_error(self, fault: str, body: Mapping[str, Any]) -> None:
        status, code, message = ERRORS[fault]
        # a rude server that repeats the key it was sent
        message = message.format(authorization=self.headers.get("Authorization"))
        if fault in FINAL_ERRORS:
            self.server.count(body)
        error = {"message": message, "type": "error", "param": None, "code": code}
        self._send_json(status, {"error": error})

    def _break(self, fault: str) -> None:
        self.close_connection = True
        if fault == "hang":
            self.server.stopping.wait()
        elif fault == "half_body":
            self._send(200, "application/json", b'{"id": "half", "choices": [', length=4000)
        else:
            # closing without linger sends RST in place of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())

    def _send_json(self, status: int, content: Mapping[str, Any]) -> None:
        # in ASCII: a lone surrogate can be sent as an escape alone
        self._send(status, "application/json", json.dumps(content).encode("ascii"))

    def _send(self, status: int, kind: str, content: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        if status == 429 and self.server.retry_after is not None:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


def environment(server: Endpoint, folder: Path) -> dict[str, str]:
    """The variables for a client of this server whose store lies in a folder; nothing is retried."""
    return {
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": KEY,
        "NO_PROXY": "127.0.0.1",
        "FEEDBACK_LENS_STORE": str(folder / "store.sqlite"),
        "FEEDBACK_LENS_CONCURRENCY": "4",
        "FEEDBACK_LENS_TIMEOUT": "10",
        "FEEDBACK_LENS_RETRIES": "0",
        "FEEDBACK_LENS_OFFLINE": "0",
    }


@contextmanager
def serve(**settings: Any) -> Iterator[Endpoint]:
    """Run an `Endpoint` with these settings in a thread until the block ends."""
    with Endpoint(**settings) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="where the port is written")
    parser.add_argument("--requests-log", type=Path, help="one JSON line an answered request")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--hold", type=int, help="answer so many requests, then hang")
    parser.add_argument("--role-play", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    server = Endpoint(
        port=arguments.port,
        reply=play_role if arguments.role_play else lambda body: "A reply.",
        plan=BEHAVES if arguments.hold is None else hold_after(arguments.hold),
        latency=arguments.latency,
        requests_log=arguments.requests_log,
    )
    port = str(server.server_address[1])
    if arguments.port_file:
        # renamed into place: whoever waits for the file never reads half of it
        temporary = arguments.port_file.with_suffix(".tmp")
        temporary.write_text(port, encoding="ascii")
        temporary.replace(arguments.port_file)
    print(port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
