"""The Files and Batch API of a server, by the `openai` package."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import httpx2
import openai
from openai.types import Batch

from feedback_lens.calls.client import read_key
from feedback_lens.calls.problem import Problem, parse, read_problem, read_words, scrub
from feedback_lens.calls.settings import read_endpoint_settings

PATH: Literal["/v1/chat/completions"] = "/v1/chat/completions"
# nothing more will come of a batch
ENDED = ("completed", "expired", "cancelled")
# what a server without a path says of it
UNKNOWN_PATH = (404, 405, 501)
# the key or the URL cannot even be sent
UNUSABLE = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)
MEBIBYTE = 2**20


class ServerError(Exception):
    """A call of the API that failed; `status` is null where no reply came."""

    def __init__(self, problem: Problem, status: int | None = None) -> None:
        super().__init__(problem.words)
        self.problem, self.status = problem, status


@dataclass(frozen=True)
class BatchState:
    """A batch as the server tells of it; `done` of its requests are answered or have failed.

    `results` are the ids of its output and error files; `errors` are codes and messages.
    """

    batch_id: str
    status: str
    done: int
    input_file: str
    results: tuple[str, ...]
    errors: tuple[tuple[str, str], ...]


class BatchServer:
    """The calls that batches need. Every one raises `ServerError` where it fails."""

    def __init__(self) -> None:
        settings = read_endpoint_settings()
        self._client = openai.OpenAI(
            api_key=read_key(),
            timeout=settings.timeout,
            max_retries=settings.retries,
        )
        self.host = self._client.base_url.host
        self.endpoint = self._client.base_url.netloc.decode("ascii")
        self.key = os.environ.get("OPENAI_API_KEY", "")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def submit(self, name: str, purpose: str, file: IO[bytes]) -> str:
        """Upload a file and make a batch of it; returns the batch's id.

        Nothing is retried here: a try of which the reply was lost may have made a batch.
        """
        client = self._client.with_options(max_retries=0)
        with self._translate():
            uploaded = client.files.create(file=(_file_name(name), file), purpose="batch")
            batch = client.batches.create(
                input_file_id=uploaded.id,
                endpoint=PATH,
                completion_window="24h",
                metadata={"feedback_lens": name, "stage": purpose},
            )
            return _read_state(batch).batch_id

    def look_up(self, name: str) -> str | None:
        """The id of the batch under our name, after a submission whose end is not known.

        Where there is none, its file is deleted first, so that none can come to be any more.
        """
        files = self._list_files(name)
        found = self._find(name, files)
        if found is None and files:
            self.withdraw(name)
            found = self._find(name, files)
        return found

    def withdraw(self, name: str) -> None:
        """Delete the file of a submission that came to nothing."""
        for file in self._list_files(name):
            self.delete(file)

    def retrieve(self, batch_id: str) -> BatchState:
        """How far a batch is."""
        with self._translate():
            return _read_state(self._client.batches.retrieve(batch_id))

    def download(self, file_id: str, folder: Path) -> IO[bytes]:
        """A whole file, in a nameless temporary one of a folder."""
        # the server's size tells a file that was cut short from one with lines missing
        size = self._measure(file_id)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
        try:
            with (
                self._translate(),
                self._client.files.with_streaming_response.content(file_id) as reply,
            ):
                for piece in reply.iter_bytes(MEBIBYTE):
                    file.write(piece)
            if file.tell() < size:
                raise ServerError(Problem(f"{file.tell()} of {size} bytes came of file {file_id}"))
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def delete(self, file_id: str) -> None:
        """Delete a file; one that is not there any more will do."""
        try:
            with self._translate():
                self._client.files.delete(file_id)
        except ServerError as trouble:
            if trouble.status != 404:
                raise

    def _list_files(self, name: str) -> list[str]:
        with self._translate():
            return [
                file.id
                for file in self._client.files.list(purpose="batch")
                if getattr(file, "filename", None) == _file_name(name)
            ]

    def _find(self, name: str, files: list[str]) -> str | None:
        with self._translate():
            for batch in self._client.batches.list(limit=100):
                metadata = getattr(batch, "metadata", None) or {}
                # not every server keeps metadata
                if metadata.get("feedback_lens") == name or batch.input_file_id in files:
                    return _read_state(batch).batch_id
        return None

    def _measure(self, file_id: str) -> int:
        """Bytes of a file; 0 where the server does not say."""
        try:
            with self._translate():
                size = getattr(self._client.files.retrieve(file_id), "bytes", None)
        except ServerError as trouble:
            if trouble.status not in UNKNOWN_PATH:
                raise
            return 0
        return size if isinstance(size, int) else 0

    @contextmanager
    def _translate(self) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            status, raw = error.status_code, error.response.content
            content = parse(raw)
            words = read_words(status, content, raw, self.key)
            problem = read_problem(status, error.response.headers, content, words)
            raise ServerError(problem, status) from None
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            cause = error.__cause__ or error
            words = scrub(f"{type(cause).__name__}: {cause}", self.key)
            if isinstance(cause, UNUSABLE):
                # its words hold the key, with signs that keep it from being found
                words = "OPENAI_API_KEY or OPENAI_BASE_URL has signs that cannot be sent"
                raise ServerError(Problem(words, passing=False, hopeless=True)) from None
            raise ServerError(Problem(words)) from None


def _file_name(name: str) -> str:
    return f"feedback-lens-{name}.jsonl"


def _read_state(batch: Any) -> BatchState:
    """The client does not check what the server sent."""
    if not isinstance(batch, Batch) or not isinstance(getattr(batch, "id", None), str):
        raise ValueError("the server sent something other than a batch")
    counts = batch.request_counts
    errors = (batch.errors and batch.errors.data) or []
    return BatchState(
        batch.id,
        batch.status,
        (counts.completed or 0) + (counts.failed or 0) if counts else 0,
        batch.input_file_id,
        tuple(file for file in (batch.output_file_id, batch.error_file_id) if file),
        tuple((str(error.code), str(error.message)) for error in errors),
    )
