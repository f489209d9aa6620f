"""Any server that speaks the OpenAI chat completions API, chosen by OPENAI_BASE_URL."""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from typing import Any

import openai
from tqdm import tqdm

from feedback_lens.calls.request import Outcome, Request, Response
from feedback_lens.calls.store import now
from feedback_lens.errors import InputError

# not worth a retry: every further request would meet the same
HOPELESS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
# a 400 for the text itself: it would come again for good, so it is kept as the answer
FINAL_CODES: dict[str, Outcome] = {
    "content_filter": "filtered",
    "context_length_exceeded": "failed",
    "string_above_max_length": "failed",
}
# so many requests in a row, each after all retries, without an answer: it stays down
PATIENCE = 16

Answer = tuple[Request, Response]


def ask_endpoint(requests: Sequence[Request], purpose: str) -> Iterator[Answer]:
    """Send requests, `FEEDBACK_LENS_CONCURRENCY` at a time, and yield each answer as it arrives.

    The next request is sent when an answer was taken, so that a crash loses no more answers than
    are in flight. The client retries timeouts, 429 and 5xx with backoff and obeys Retry-After.

    Raises:
        InputError: the endpoint turns every request down (key, model, quota) or is down, or some
            requests got no answer after all retries; what was answered has been yielded before.
    """
    slots = int(_read_setting("FEEDBACK_LENS_CONCURRENCY", "16", 1))
    answers = _answer_all(requests, slots, purpose)
    # the runner makes Ctrl-C an orderly end of the requests in flight
    with asyncio.Runner() as runner:
        while (answer := runner.run(_next(answers))) is not None:
            yield answer


async def _next(answers: AsyncIterator[Answer]) -> Answer | None:
    return await anext(answers, None)


async def _answer_all(
    requests: Sequence[Request], slots: int, purpose: str
) -> AsyncIterator[Answer]:
    losses = _Losses()
    answered = 0
    with tqdm(total=len(requests), desc=purpose, unit="reply") as progress:
        async with _open_client() as client:
            async for task in _run_window(client, losses.admit(requests), slots):
                progress.update()
                try:
                    answer = await task
                except openai.OpenAIError as error:
                    losses.note(error)
                    continue
                losses.in_a_row = 0
                answered += 1
                yield answer
    losses.report(purpose, len(requests) - answered, len(requests))


async def _run_window(
    client: openai.AsyncOpenAI, requests: Iterator[Request], slots: int
) -> AsyncIterator[asyncio.Task[Answer]]:
    """Yield finished tasks; one more is started when the consumer comes back from one."""

    def start(count: int) -> set[asyncio.Task[Answer]]:
        return {asyncio.create_task(_answer(client, r)) for r in islice(requests, count)}

    running = start(slots)
    try:
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task
                running.remove(task)
                running |= start(1)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Losses:
    """Requests that got no answer, and whether to send the rest at all."""

    def __init__(self) -> None:
        self.worst: openai.OpenAIError | None = None
        self.hopeless = False
        self.in_a_row = 0

    def admit(self, requests: Sequence[Request]) -> Iterator[Request]:
        for request in requests:
            if self.hopeless or self.in_a_row >= PATIENCE:
                return
            yield request

    def note(self, error: openai.OpenAIError) -> None:
        if not self.hopeless:
            self.worst = error
        self.in_a_row += 1
        no_quota = getattr(error, "code", None) == "insufficient_quota"
        self.hopeless |= no_quota or isinstance(error, HOPELESS)

    def report(self, purpose: str, missing: int, total: int) -> None:
        if self.worst is None:
            return
        check = "check key, OPENAI_BASE_URL and model, then " if self.hopeless else ""
        raise InputError(
            f"{purpose}: {missing} of {total} requests got no answer "
            f"({type(self.worst).__name__}: {_word(self.worst)}); the others are kept: "
            f"{check}run again"
        )


def _open_client() -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        timeout=_read_setting("FEEDBACK_LENS_TIMEOUT", "120", 0),
        max_retries=int(_read_setting("FEEDBACK_LENS_RETRIES", "5", 0)),
    )


def _read_setting(name: str, default: str, least: int) -> float:
    value = os.environ.get(name, default)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not least <= number < math.inf:
        raise InputError(f"{name}={value!r}: set it to a number of {least} or more")
    return number


async def _answer(client: openai.AsyncOpenAI, request: Request) -> Answer:
    content = request.as_json()
    body = {"model": content["model"], "messages": content["messages"], **content["sampling"]}
    if request.response_format is not None:
        body["response_format"] = content["response_format"]
    if client.base_url.host == "api.openai.com" and "max_tokens" in body:
        # OpenAI's newer models refuse the name that all other servers know
        body["max_completion_tokens"] = body.pop("max_tokens")
    try:
        # users' logs are private: the server is told to keep nothing
        completion = await client.chat.completions.create(**body, store=False)
    except openai.BadRequestError as error:
        outcome = _name_final(error)
        if outcome is None:
            raise
        return request, Response(outcome, _word(error), answered_at=now())
    except ValueError as error:
        raise openai.OpenAIError(f"the server sent no JSON ({error})") from None
    return request, _read(completion)


def _name_final(error: openai.BadRequestError) -> Outcome | None:
    """The outcome of a 400 that the request's own text draws; None for any other."""
    if "context length" in str(error):  # vLLM and others send no code
        return "failed"
    return FINAL_CODES.get(error.code or "")


def _word(error: openai.OpenAIError) -> str:
    """The error's message; some servers repeat the key in theirs."""
    key = os.environ.get("OPENAI_API_KEY")
    return _clean(str(error).replace(key, "[key]") if key else str(error))


def _clean(text: str) -> str:
    """The text with a question mark for each lone surrogate: neither store nor table takes one."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _read(completion: Any) -> Response:
    """The response in a completion; the client does not check that the server sent one."""
    try:
        choice, usage = completion.choices[0], completion.usage
        refusal, text = choice.message.refusal, choice.message.refusal or choice.message.content
        return Response(
            outcome=_name_outcome(choice.finish_reason, refusal),
            text=None if text is None else _clean(text),
            served_model=completion.model,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            answered_at=now(),
        )
    except (AttributeError, IndexError, TypeError):
        raise openai.OpenAIError("the server sent something other than a chat completion") from None


def _name_outcome(finish_reason: str | None, refusal: str | None) -> Outcome:
    if refusal:
        return "refused"
    if finish_reason == "length":
        return "cut_off"
    return "filtered" if finish_reason == "content_filter" else "answered"
