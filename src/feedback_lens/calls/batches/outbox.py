import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from feedback_lens.calls.batches.context import Context
from feedback_lens.calls.batches.database import Asked
from feedback_lens.calls.batches.log import Size
from feedback_lens.calls.batches.server import PATH
from feedback_lens.calls.completion import build_body
from feedback_lens.calls.request import Request, Response

# requests, and bytes of their lines, that are held in memory before they are written down
HELD = Size(500, 8_000_000)


class TooLargeError(Exception):
    """A request that no file can hold."""


@dataclass
class Chunk:
    """A batch that is not at the server; `uncertain` where it may be, for all that is known."""

    name: str
    model: str
    size: Size
    uncertain: bool = False


class Outbox:
    """Requests on their way out, written down in files' worth of at most `most`.

    `ready` may go to the server.
    """

    def __init__(self, context: Context, most: Size) -> None:
        self._log, self._awaited, self._store = context.log, context.awaited, context.store
        self._host = context.server.host
        self.most = most
        self.ready: deque[Chunk] = deque()
        self._kept: list[tuple[Request, Response]] = []
        self._filling: Chunk | None = None
        self._held: list[Asked] = []

    @property
    def requests(self) -> int:
        """How many are on their way out."""
        return len(self._kept) + sum(chunk.size.requests for chunk in self._chunks())

    def add(self, request: Request) -> None:
        """Take a request; of one that stands in another process's batch, only a note is kept.

        Raises:
            TooLargeError: it takes more bytes than a file may have.
        """
        asked = Asked(request, len(make_line(request, self._host)))
        if asked.size > self.most.bytes:
            raise TooLargeError(
                f"request {request.key} takes {asked.size} bytes, over the {self.most.bytes} of a "
                "batch's file; unset FEEDBACK_LENS_PROVIDER to send it alone"
            )
        if self._filling and not self._fits(self._filling, asked):
            self.close()
        if self._filling is None:
            self._filling = Chunk(self._log.add(request.model), request.model, Size(0, 0))
        self._held.append(asked)
        self._filling.size = _add(self._filling.size, [asked])
        if len(self._held) >= HELD.requests or sum(a.size for a in self._held) >= HELD.bytes:
            self._write()

    def close(self) -> None:
        """Make what there is ready to go out."""
        self._write()
        if self._filling and self._filling.size.requests:
            self.ready.append(self._filling)
        elif self._filling:
            self._log.forget(self._filling.name)
        self._filling = None

    def requeue(self, name: str, model: str) -> int:
        """Make the unanswered requests of a batch ready to go out again; returns their number.

        Their bytes fitted into one file before.
        """
        total = 0
        while self._log.count_unanswered(name):
            target = self._log.add(model)
            chunk = Chunk(target, model, self._log.move(name, target, self.most.requests))
            self.ready.append(chunk)
            total += chunk.size.requests
        return total

    def take_kept(self, most: int) -> list[tuple[Request, Response]]:
        """Some of the requests that another process answered in the meantime."""
        some, self._kept = self._kept[:most], self._kept[most:]
        return some

    def abandon(self) -> None:
        """Let go of all that is not at the server for certain."""
        self._held.clear()
        for chunk in self._chunks():
            if not chunk.uncertain:
                self._log.forget(chunk.name)

    def _chunks(self) -> list[Chunk]:
        return [*self.ready, self._filling] if self._filling else [*self.ready]

    def _fits(self, chunk: Chunk, asked: Asked) -> bool:
        size = _add(chunk.size, [asked])
        same = chunk.model == asked.request.model
        return same and size.requests <= self.most.requests and size.bytes <= self.most.bytes

    def _write(self) -> None:
        """Claim the held requests, unless they stand in a batch, or are answered, by now."""
        if self._filling is None or not self._held:
            return
        held, self._held = {asked.request.key: asked for asked in self._held}, []
        claimed = self._log.claim(self._filling.name, list(held.values()))
        others = [asked for key, asked in held.items() if key not in claimed]
        if others:
            self._awaited.add(others)
        # looked up when claimed, so that whoever answered it had it in the store before
        found = self._store.get(list(claimed))
        if found:
            self._log.drop(self._filling.name, list(found))
            self._kept += [(held[key].request, response) for key, response in found.items()]
        gone = [*others, *(held[key] for key in found)]
        self._filling.size = _add(self._filling.size, gone, -1)


def make_line(request: Request, host: str) -> bytes:
    """The request's line in a file for a server of this host name."""
    line = {
        "custom_id": request.key,
        "method": "POST",
        "url": PATH,
        "body": build_body(request, host),
    }
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def _add(size: Size, asked: Iterable[Asked], sign: int = 1) -> Size:
    for one in asked:
        size = Size(size.requests + sign, size.bytes + sign * one.size)
    return size
