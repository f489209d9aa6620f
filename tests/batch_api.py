"""The Files and Batch API of the loopback endpoint: its paths. `endpoint.batches` is its state."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web

from batch_jobs import Batches, Job, StoredFile
from faults import describe_error
from request_checks import RequestError, check_key, read_body

if TYPE_CHECKING:
    from endpoint import Endpoint

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application, endpoint: Endpoint) -> None:
    """Add the paths of files and batches, and their state to the endpoint."""
    endpoint.batches = Batches(endpoint)
    server = BatchServer(endpoint, endpoint.batches)
    for method, path, handler in (
        ("POST", "/v1/files", server.upload),
        ("GET", "/v1/files", server.list_files),
        ("GET", "/v1/files/{id}", server.show_file),
        ("GET", "/v1/files/{id}/content", server.download),
        ("DELETE", "/v1/files/{id}", server.delete_file),
        ("POST", "/v1/batches", server.create),
        ("GET", "/v1/batches", server.list_batches),
        ("GET", "/v1/batches/{id}", server.retrieve),
        ("POST", "/v1/batches/{id}/cancel", server.cancel),
    ):
        app.router.add_route(method, path, server.guard(handler))


class BatchServer:
    """The handlers of the paths."""

    def __init__(self, endpoint: Endpoint, batches: Batches) -> None:
        self.endpoint, self.batches = endpoint, batches

    def guard(self, handler: Handler) -> Handler:
        """The handler behind the checks that all share, with errors as the API has them."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                takes = self.batches.takes_batches or "/batches" not in request.path
                if not self.batches.exists or not takes:
                    return web.json_response({"detail": "Not Found"}, status=404)
                check_key(request)
                if self.batches.wrong_key:
                    key = request.headers["Authorization"]
                    status, content = describe_error("wrong_key", key)
                    return web.json_response(content, status=status)
                return await handler(request)
            except RequestError as error:
                return web.json_response(error.content, status=error.status)

        return answer

    async def upload(self, request: web.Request) -> web.Response:
        """POST /v1/files."""
        form = await request.post()
        upload, purpose = form.get("file"), str(form.get("purpose"))
        if not isinstance(upload, web.FileField):
            raise RequestError(400, "'file' is a required property", param="file")
        content = upload.file.read()
        if len(content) > self.batches.most_bytes:
            raise RequestError(400, f"File is over {self.batches.most_bytes} bytes", param="file")
        stored = self.batches.store(upload.filename, purpose, content)
        await self._hang_at("uploaded")
        return self._reply("upload", stored.as_json())

    async def list_files(self, request: web.Request) -> web.Response:
        """GET /v1/files."""
        purpose = request.query.get("purpose")
        found = [f for f in self.batches.files.values() if purpose in (None, f.purpose)]
        return _list(request, found[::-1])

    async def show_file(self, request: web.Request) -> web.Response:
        """GET /v1/files/{id}."""
        return web.json_response(self._file(request).as_json())

    async def download(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/files/{id}/content."""
        content = self._file(request).content
        reply = web.StreamResponse()
        await reply.prepare(request)
        if self.batches.stall == "downloading":
            await reply.write(content[: len(content) // 2])
            await self._hang_at("downloading")
        if self.batches.cut:
            # chunked, with a proper end: the client sees nothing amiss
            self.batches.cut -= 1
            content = content[: len(content) // 2]
        await reply.write(content)
        await reply.write_eof()
        return reply

    async def delete_file(self, request: web.Request) -> web.Response:
        """DELETE /v1/files/{id}."""
        name = self._file(request).id
        if not self.batches.lose["delete"]:
            del self.batches.files[name]
            self.batches.deleted.append(name)
        return self._reply("delete", {"id": name, "object": "file", "deleted": True})

    async def create(self, request: web.Request) -> web.Response:
        """POST /v1/batches."""
        job = self.batches.create(await read_body(request, self.endpoint.max_body))
        await self._hang_at("created")
        return self._reply("create", job.as_json())

    async def list_batches(self, request: web.Request) -> web.Response:
        """GET /v1/batches."""
        return _list(request, list(self.batches.jobs.values())[::-1])

    async def retrieve(self, request: web.Request) -> web.Response:
        """GET /v1/batches/{id}: every look brings the batch on."""
        job = self._job(request)
        if self.batches.lose["retrieve"]:
            return self._reply("retrieve", {})
        await self._hang_at("retrieving")
        return web.json_response(self.batches.look(job).as_json())

    async def cancel(self, request: web.Request) -> web.Response:
        """POST /v1/batches/{id}/cancel."""
        job = self._job(request)
        job.cancelling, job.status = True, "cancelling"
        return web.json_response(job.as_json())

    async def _hang_at(self, place: str) -> None:
        if self.batches.stall == place:
            self.batches.stalled.set()
            await self.endpoint.stopping.wait()

    def _reply(self, call: str, content: dict[str, Any]) -> web.Response:
        """The reply to a call, or a 500 in its place."""
        if not self.batches.lose[call]:
            return web.json_response(content)
        self.batches.lose[call] -= 1
        status, error = describe_error("broken", None)
        return web.json_response(error, status=status)

    def _file(self, request: web.Request) -> StoredFile:
        name = request.match_info["id"]
        if name not in self.batches.files:
            raise RequestError(404, f"No such File object: {name}")
        return self.batches.files[name]

    def _job(self, request: web.Request) -> Job:
        name = request.match_info["id"]
        if name not in self.batches.jobs:
            raise RequestError(404, f"No batch found with id '{name}'.")
        return self.batches.jobs[name]


def _list(request: web.Request, found: Sequence[StoredFile | Job]) -> web.Response:
    """A page: `limit` objects from behind the one called `after`."""
    limit = int(request.query.get("limit", "20"))
    names = [one.id for one in found]
    start = names.index(request.query["after"]) + 1 if "after" in request.query else 0
    page = [one.as_json() for one in found[start : start + limit]]
    content = {"object": "list", "data": page, "has_more": start + limit < len(found)}
    if page:
        content |= {"first_id": page[0]["id"], "last_id": page[-1]["id"]}
    return web.Response(text=json.dumps(content), content_type="application/json")
