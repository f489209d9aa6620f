"""The moderations endpoint of OpenAI, or of a server that has it, too (OPENAI_BASE_URL)."""

import json
from collections.abc import Mapping
from typing import Any

from feedback_lens.calls.client import open_client, read_key
from feedback_lens.calls.completion import clean, now, read_error
from feedback_lens.calls.problem import (
    Problem,
    hide_key,
    parse,
    read_problem,
    read_words,
    scrub,
)
from feedback_lens.calls.request import Request, Response
from feedback_lens.calls.settings import read_endpoint_settings
from feedback_lens.errors import InputError
from feedback_lens.moderation.scorer import Scorer
from feedback_lens.moderation.service import ServiceSender


def build_openai_moderation(model: str, category: str) -> Scorer:
    """The scorer that reads one category of what the endpoint says of a text.

    The category is no part of what is asked: a reply holds all, so another one costs no call.
    """
    return Scorer(
        name="openai_moderation",
        model=model,
        question={"type": "moderation"},
        read=lambda reply: read_category(reply, category),
        open_sender=lambda purpose: ServiceSender(purpose, OpenAIModeration(purpose)),
        find_obstacle=lambda: None if read_key() else _MISSING_KEY,
    )


_MISSING_KEY = (
    "there is no key; set OPENAI_API_KEY (and OPENAI_BASE_URL for a server other than OpenAI's), "
    "or score_toxicity.scorer to another"
)


def read_category(reply: Any, category: str) -> Any:
    """The score of a category in the endpoint's reply.

    Raises:
        InputError: the reply has categories, and this is none of them.
        LookupError, TypeError: it has none.
    """
    scores = reply["results"][0]["category_scores"]
    if isinstance(scores, Mapping) and scores and category not in scores:
        raise InputError(
            f"score_toxicity.category: {category!r} is none of those that the model scores: "
            f"{', '.join(sorted(map(str, scores)))}"
        )
    return scores[category]


class OpenAIModeration:
    """The endpoint, by the `openai` package.

    Raises:
        InputError: key, OPENAI_BASE_URL or proxy cannot be used.
    """

    mend = (
        "check OPENAI_API_KEY, OPENAI_BASE_URL (not every server has /moderations) and "
        "score_toxicity.model"
    )

    def __init__(self, purpose: str) -> None:
        import openai

        self._key = read_key()
        checked = open_client(purpose)
        # of its retries none: they would keep neither pace nor count
        self._client = openai.OpenAI(
            api_key=self._key,
            base_url=checked.base_url,
            max_retries=0,
            timeout=read_endpoint_settings().timeout,
        )

    def ask(self, request: Request) -> Response | Problem:
        """Score one text, once."""
        import openai

        text = clean(request.messages[0]["content"])
        try:
            create = self._client.moderations.with_raw_response.create
            reply = create(model=request.model, input=text).http_response
        except openai.APIStatusError as error:
            return self._read(error.response)
        except openai.APITimeoutError:
            return Problem("no answer in time")
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            return Problem(scrub(f"{type(cause).__name__}: {cause}", self._key))
        return self._read(reply)

    def _read(self, reply: Any) -> Response | Problem:
        found = read_moderation(reply.status_code, reply.headers, reply.content, self._key)
        return hide_key(found, self._key) if isinstance(found, Response) else found


def read_moderation(
    status: int, headers: Mapping[str, str], raw: bytes, key: str
) -> Response | Problem:
    """The response in the endpoint's reply, or the problem where it is none."""
    content = parse(raw)
    words = read_words(status, content, raw, key)
    if status >= 300:
        final = read_error(status, content, words) or _read_refused_text(status, content, words)
        return final or read_problem(status, headers, content, words)
    if not _is_moderation(content):
        return Problem(f"the server sent something other than a moderation ({words})")
    served = content.get("model")
    return Response(
        "answered",
        json.dumps(content, sort_keys=True),
        clean(served) if isinstance(served, str) else None,
        answered_at=now(),
    )


def _is_moderation(content: Any) -> bool:
    try:
        return isinstance(content["results"][0]["category_scores"], dict)
    except (LookupError, TypeError):
        return False


def _read_refused_text(status: int, content: Any, words: str) -> Response | None:
    """A 400 that names `input`: the text itself is refused, and would be again."""
    error = content.get("error") if isinstance(content, dict) else None
    param = error.get("param") if isinstance(error, dict) else None
    if status != 400 or not str(param).startswith("input"):
        return None
    return Response("failed", words, answered_at=now())
