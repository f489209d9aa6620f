"""The HTTP side of the loopback endpoint: its paths, and how a reply leaves, well or badly."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from faults import BROKEN_OFF, ERRORS, FINAL_ERRORS, NO_COMPLETIONS, SLOW, complete, describe_error
from limits import count_tokens
from request_checks import RequestError, check_body, check_key, read_body

if TYPE_CHECKING:
    from endpoint import Endpoint

PIECES = 8  # in which a slow reply comes
_WRITE = json.JSONEncoder(separators=(",", ":")).encode


class Sent(web.StreamResponse):
    """Stands for a reply that went out by other means, or not at all; the connection closes."""

    async def prepare(self, request: web.BaseRequest) -> None:
        pass

    async def write_eof(self, data: bytes = b"") -> None:
        pass


def build_app(endpoint: Endpoint) -> web.Application:
    """The application that serves an endpoint."""
    from batch_api import add_routes  # its module may import ours

    # bodies are measured where they are read; files of the Batch API may be larger
    app = web.Application(client_max_size=0)
    server = ChatServer(endpoint)
    app.router.add_post("/v1/chat/completions", server.answer_chat)
    app.router.add_get("/v1/models", server.list_models)
    app.router.add_get("/stats", server.show_stats)
    add_routes(app, endpoint)
    app.router.add_route("*", "/{path:.*}", server.miss)
    return app


class ChatServer:
    """The handlers of the paths."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def answer_chat(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        arrived = time.monotonic()
        self.endpoint.enter()
        try:
            check_key(request)
            body = await read_body(request, self.endpoint.max_body)
            arrival = self.endpoint.note(body)
            check_body(body)
            return await self._answer(request, body, arrival, arrived)
        except RequestError as error:
            return self._send_json(error.status, error.content)
        finally:
            self.endpoint.leave()

    async def _answer(
        self, request: web.Request, body: dict[str, Any], arrival: int, arrived: float
    ) -> web.StreamResponse:
        endpoint = self.endpoint
        if refusal := endpoint.limits.take(count_tokens(body), arrived):
            return self._send_json(429, refusal.content, endpoint.limits.headers(refusal))
        fault = endpoint.meet(arrival, body)
        if fault in BROKEN_OFF:
            await endpoint.work(arrived)
            return await self._break_off(request, fault)
        if fault in ERRORS or fault in NO_COMPLETIONS:
            await endpoint.work(arrived)
            return self._send_error(request, fault, body)
        # composed before the wait, so that the latency holds the server's own work
        content = _dump(complete(body, endpoint.reply(body), fault))
        await endpoint.work(arrived)
        endpoint.count(body)
        if fault in SLOW:
            return await self._drip(request, fault, content)
        return self._send(200, "application/json", content)

    async def _break_off(self, request: web.Request, fault: str) -> Sent:
        transport = request.transport
        if fault == "hang":
            await self.endpoint.stopping.wait()
        elif transport is not None and fault == "half_body":
            transport.write(self._head(4000) + b'{"id": "half", "choices": [')
        elif transport is not None and fault == "reset":
            # closing without linger sends RST in place of FIN
            linger = struct.pack("ii", 1, 0)
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        return Sent()

    async def _drip(self, request: web.Request, fault: str, content: bytes) -> Sent:
        """Send the head or the body in pieces, `drip` seconds in all."""
        head = self._head(len(content))
        whole, slow = (b"", head) if fault == "slow_head" else (head, content)
        size = -(-len(slow) // PIECES)
        pieces = [slow[start : start + size] for start in range(0, len(slow), size)]
        for piece in (whole + pieces[0], *pieces[1:]):
            if request.transport is None:
                return Sent()
            request.transport.write(piece)
            await asyncio.sleep(self.endpoint.drip / PIECES)
        if fault == "slow_head" and request.transport is not None:
            request.transport.write(content)
        return Sent()

    def _head(self, length: int) -> bytes:
        headers = self.endpoint.limits.headers() | {
            "Content-Type": "application/json",
            "Content-Length": str(length),
            "Connection": "close",
        }
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        return f"HTTP/1.1 200 OK\r\n{''.join(lines)}\r\n".encode("ascii")

    def _send_error(
        self, request: web.Request, fault: str, body: Mapping[str, Any]
    ) -> web.Response:
        if fault in NO_COMPLETIONS:
            return self._send(*NO_COMPLETIONS[fault])
        if fault in FINAL_ERRORS:
            self.endpoint.count(body)
        status, content = describe_error(fault, request.headers.get("Authorization"))
        headers = self.endpoint.limits.headers()
        if status in (429, 503) and self.endpoint.retry_after is not None:
            headers["Retry-After"] = self.endpoint.retry_after
        if fault == "should_not_retry":
            headers["x-should-retry"] = "false"
        return self._send_json(status, content, headers)

    def _send_json(
        self, status: int, content: Mapping[str, Any], headers: dict[str, str] | None = None
    ) -> web.Response:
        return self._send(status, "application/json", _dump(content), headers)

    def _send(
        self, status: int, kind: str, content: bytes, headers: dict[str, str] | None = None
    ) -> web.Response:
        headers = self.endpoint.limits.headers() if headers is None else headers
        headers["Content-Type"] = kind
        return web.Response(status=status, body=content, headers=headers)

    async def list_models(self, request: web.Request) -> web.Response:
        """GET /v1/models."""
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "loopback"}
            for name in self.endpoint.models
        ]
        try:
            check_key(request)
        except RequestError as error:
            return self._send_json(error.status, error.content)
        return self._send_json(200, {"object": "list", "data": data})

    async def show_stats(self, request: web.Request) -> web.Response:
        """GET /stats: what the endpoint counted."""
        return self._send_json(200, self.endpoint.stats(), {})

    async def miss(self, request: web.Request) -> web.Response:
        """Any other path."""
        error = RequestError(404, f"Invalid URL ({request.method} {request.path})")
        return self._send_json(error.status, error.content)


def _dump(content: Mapping[str, Any]) -> bytes:
    # in ASCII: a lone surrogate can be sent as an escape alone
    return _WRITE(content).encode("ascii")
