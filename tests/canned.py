"""A loopback server of canned replies, for what no fault of the endpoint says; also a proxy."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from faults import complete


@dataclass(frozen=True)
class Canned:
    """A reply: its body as bytes or as what becomes JSON."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class CannedServer(ThreadingHTTPServer):
    """Gives its replies one after the other, and the last one for good.

    `targets` are the paths as they stood in the requests: a proxy's begin with a scheme.
    """

    daemon_threads = True

    def __init__(self, replies: tuple[Canned, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies = replies
        self.targets: list[str] = []

    @property
    def root(self) -> str:
        """The address without a path, such as a proxy's."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"{self.root}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CannedServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        number = len(self.server.targets)
        self.server.targets.append(self.path)
        reply = self.server.replies[min(number, len(self.server.replies) - 1)]
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve_canned(*replies: Canned) -> Iterator[CannedServer]:
    """Run a `CannedServer` until the block ends."""
    server = CannedServer(replies)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def completion(text: str | None = "Fine.", **changes: Any) -> dict[str, Any]:
    """A completion object of 2 prompt tokens and 3 of the reply, with fields that differ."""
    body = {"model": "m", "messages": [{"role": "user", "content": "two words"}]}
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    whole = complete(body, "Fine.", None) | {"usage": usage}
    whole["choices"][0]["message"]["content"] = text
    return whole | changes
