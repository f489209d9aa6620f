"""Clients of the loopback endpoint: the real one, plain HTTP, and a bare connection."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import openai

from endpoint import KEY, Endpoint

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "some question"}]}


def client_of(server: Endpoint, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=retries, timeout=5)


def ask(server: Endpoint, **settings: Any) -> Any:
    """The completion by the real client."""
    with client_of(server) as client:
        return client.chat.completions.create(**(BODY | settings))


Reply = tuple[int, Mapping[str, str], bytes]


def post(server: Endpoint, data: Any = None, path: str = "/chat/completions", **head: str) -> Reply:
    """Status, headers and body of one reply, by HTTP alone."""
    return post_all(server, [BODY if data is None else data], path, **head)[0]


def post_all(
    server: Endpoint, bodies: list[Any], path: str = "/chat/completions", **head: str
) -> list[Reply]:
    """All replies to requests that are sent at once."""
    headers = {"Authorization": f"Bearer {KEY}"} | head

    async def send(session: aiohttp.ClientSession, body: Any) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with session.post(server.base_url + path, data=data, headers=headers) as reply:
            return reply.status, reply.headers, await reply.read()

    async def send_all() -> list[Reply]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            return list(await asyncio.gather(*(send(session, body) for body in bodies)))

    return asyncio.run(send_all())


def connect(server: Endpoint, body: Any = BODY) -> socket.socket:
    """A connection on which a request was sent and nothing was read."""
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    connection.sendall(head.encode() + data)
    return connection


def receive(connection: socket.socket) -> list[tuple[float, bytes]]:
    """What comes until the other side closes, with the seconds it took."""
    start, pieces = time.monotonic(), []
    while piece := connection.recv(1 << 16):
        pieces.append((time.monotonic() - start, piece))
    connection.close()
    return pieces
