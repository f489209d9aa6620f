"""Any server that speaks the OpenAI chat completions API, chosen by OPENAI_BASE_URL."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence

import openai
from openai.types.chat import ChatCompletion
from tqdm import tqdm

from feedback_lens.calls.request import Outcome, Request, Response
from feedback_lens.calls.store import now
from feedback_lens.errors import InputError

# not worth a retry: every further request would meet the same
HOPELESS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)


def ask_endpoint(requests: Sequence[Request], purpose: str) -> Iterator[tuple[Request, Response]]:
    """Send requests, `FEEDBACK_LENS_CONCURRENCY` at a time, and yield each answer as it arrives.

    The client retries timeouts, 429 and 5xx with backoff and obeys Retry-After.

    Raises:
        InputError: the endpoint turns every request down (key, model), or some requests got no
            answer after all retries; what was answered has been yielded before.
    """
    loop = asyncio.new_event_loop()
    answers = _answer_all(requests, purpose)
    try:
        while True:
            try:
                yield loop.run_until_complete(anext(answers))
            except StopAsyncIteration:
                return
    finally:
        loop.run_until_complete(answers.aclose())
        loop.close()


async def _answer_all(
    requests: Sequence[Request], purpose: str
) -> AsyncIterator[tuple[Request, Response]]:
    limit = asyncio.Semaphore(int(os.environ.get("FEEDBACK_LENS_CONCURRENCY", "16")))
    failures: list[openai.OpenAIError] = []
    async with _open_client() as client:
        tasks = [asyncio.create_task(_answer(client, limit, request)) for request in requests]
        try:
            for task in tqdm(asyncio.as_completed(tasks), purpose, len(tasks), unit="reply"):
                try:
                    yield await task
                except HOPELESS as error:
                    raise InputError(
                        f"{purpose}: the endpoint turns requests down: {error}"
                    ) from None
                except openai.OpenAIError as error:
                    failures.append(error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    if failures:
        raise InputError(
            f"{purpose}: {len(failures)} of {len(requests)} requests got no answer (last: "
            f"{type(failures[-1]).__name__}: {failures[-1]}); the others are kept, run again"
        )


def _open_client() -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        timeout=float(os.environ.get("FEEDBACK_LENS_TIMEOUT", "120")),
        max_retries=int(os.environ.get("FEEDBACK_LENS_RETRIES", "5")),
    )


async def _answer(
    client: openai.AsyncOpenAI, limit: asyncio.Semaphore, request: Request
) -> tuple[Request, Response]:
    content = request.as_json()
    body = {"model": content["model"], "messages": content["messages"], **content["sampling"]}
    if request.response_format is not None:
        body["response_format"] = content["response_format"]
    async with limit:
        try:
            # users' logs are private: the server is told to keep nothing
            completion = await client.chat.completions.create(**body, store=False)
        except openai.BadRequestError as error:
            # this request is at fault (too long, filtered) and would be for good
            outcome: Outcome = "filtered" if error.code == "content_filter" else "failed"
            return request, Response(outcome, str(error), answered_at=now())
    return request, _read(completion)


def _read(completion: ChatCompletion) -> Response:
    if not completion.choices:
        raise openai.OpenAIError("a completion without choices")
    choice = completion.choices[0]
    usage = completion.usage
    return Response(
        outcome=_name_outcome(choice.finish_reason, choice.message.refusal),
        text=choice.message.refusal or choice.message.content,
        served_model=completion.model,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        answered_at=now(),
    )


def _name_outcome(finish_reason: str | None, refusal: str | None) -> Outcome:
    if refusal:
        return "refused"
    if finish_reason == "length":
        return "cut_off"
    return "filtered" if finish_reason == "content_filter" else "answered"
