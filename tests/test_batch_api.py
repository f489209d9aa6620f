import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from endpoint import KEY, Endpoint, serve

URL = "/v1/chat/completions"


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serve() as server:
        yield server


@pytest.fixture
def client(server: Endpoint) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        yield client


def line(name: str, model: str = "m", url: str = URL) -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": name}]}
    content = {"custom_id": name, "method": "POST", "url": url, "body": body}
    return json.dumps(content).encode("ascii")


def upload(client: openai.OpenAI, *lines: bytes) -> str:
    file = io.BytesIO(b"\n".join(lines))
    return client.files.create(file=("x.jsonl", file), purpose="batch").id


def create(client: openai.OpenAI, *lines: bytes) -> Any:
    file = upload(client, *lines)
    return client.batches.create(input_file_id=file, endpoint=URL, completion_window="24h")


def test_a_batch_goes_through_its_statuses_look_by_look(
    server: Endpoint, client: openai.OpenAI
) -> None:
    batch = create(client, line("a"), line("b"))
    statuses = [batch.status, *(client.batches.retrieve(batch.id).status for _ in range(4))]
    assert statuses == ["validating", "in_progress", "finalizing", "completed", "completed"]
    done = client.batches.retrieve(batch.id)
    counts = done.request_counts
    assert counts is not None
    assert (counts.total, counts.completed, counts.failed) == (2, 2, 0)
    assert done.error_file_id is None
    assert done.output_file_id is not None
    content = client.files.content(done.output_file_id).text
    results = [json.loads(row) for row in content.strip().split("\n")]
    assert [result["custom_id"] for result in results] == ["a", "b"]
    assert results[0]["response"]["body"]["object"] == "chat.completion"
    assert (server.batches.answered, server.answered.total()) == ({"a": 1, "b": 1}, 2)


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([line("a"), line("a")], "duplicate_custom_id", 2),
        ([line("a", url="/v1/embeddings")], "url_mismatch", 1),
        ([line("a"), line("b", model="n")], "model_mismatch", 2),
        ([line("a"), b"{no JSON"], "invalid_json_line", 2),
        ([line("a"), b'{"custom_id": 5, "body": {}}'], "missing_required_parameter", 2),
        ([line("a"), line("b"), line("c"), line("d")], "too_many_tasks", None),
        ([b""], "empty_file", None),
    ],
)
def test_a_wrong_file_shows_when_the_batch_is_looked_at(
    lines: list[bytes], code: str, number: int | None, server: Endpoint, client: openai.OpenAI
) -> None:
    server.batches.most_lines = 3
    batch = create(client, *lines)
    assert (batch.status, server.batches.sent) == ("validating", {})
    failed = client.batches.retrieve(batch.id)
    assert failed.status == "failed"
    assert failed.errors is not None
    [error] = failed.errors.data or []
    assert (error.code, error.line) == (code, number)


def test_a_file_that_is_too_large_is_refused(server: Endpoint, client: openai.OpenAI) -> None:
    server.batches.most_bytes = len(line("a"))
    upload(client, line("a"))
    with pytest.raises(openai.BadRequestError, match="File is over"):
        upload(client, line("aa"))


def test_an_unknown_file_makes_no_batch(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid input_file_id 'file-9'"):
        client.batches.create(input_file_id="file-9", endpoint=URL, completion_window="24h")


def test_a_batch_that_is_cancelled_gives_back_all_its_lines(client: openai.OpenAI) -> None:
    batch = create(client, line("a"), line("b"))
    assert client.batches.cancel(batch.id).status == "cancelling"
    cancelled = client.batches.retrieve(batch.id)
    assert (cancelled.status, cancelled.output_file_id) == ("cancelled", None)
    assert cancelled.error_file_id is not None
    first = json.loads(client.files.content(cancelled.error_file_id).text.split("\n")[0])
    assert (first["response"], first["error"]["code"]) == (None, "batch_cancelled")


def test_lists_come_in_pages_with_the_newest_first(client: openai.OpenAI) -> None:
    batches = [create(client, line("a")).id for _ in range(5)]
    assert [batch.id for batch in client.batches.list(limit=2)] == batches[::-1]
    files = [file.id for file in client.files.list(purpose="batch", limit=2)]
    assert files == [f"file-{number}" for number in (4, 3, 2, 1, 0)]
    assert list(client.files.list(purpose="assistants")) == []


def test_a_file_that_is_deleted_is_gone(client: openai.OpenAI) -> None:
    name = upload(client, line("a"))
    assert client.files.retrieve(name).bytes == len(line("a"))
    assert client.files.delete(name).deleted
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        client.files.retrieve(name)


def test_without_a_key_nothing_is_shown(server: Endpoint) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as error:
        opener.open(f"{server.base_url}/files")
    assert error.value.code == 401
