"""Google's Perspective API, which ends on 2026-12-31 (calls/catalog.yaml).

Source: paper section 4, footnote 7; developers.perspectiveapi.com; conversationai/perspectiveapi,
2-api/limits.md and methods.md, for the limits and the types of errors.
"""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from httpx2 import Headers

from feedback_lens.calls.completion import now
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

DISCOVERY = "https://commentanalyzer.googleapis.com/$discovery/rest?version=v1alpha1"
REQUESTS_PER_MINUTE = 60.0  # the default quota
# an error of the text itself would come again for good, so it is kept as the answer
FINAL_ERRORS = frozenset(
    (
        "COMMENT_EMPTY",
        "COMMENT_TOO_LONG",
        "LANGUAGE_DETECTION_FAILED",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
    )
)
# how Google's older services say 429
RATE_LIMITS = ("rateLimitExceeded", "userRateLimitExceeded")


def build_perspective(attribute: str, language: str | None) -> Scorer:
    """The scorer that asks for one attribute of texts in a language (None: as it detects)."""
    question = {"type": "perspective", "attribute": attribute}
    return Scorer(
        name="perspective",
        model="perspective",
        question=question | ({"language": language} if language else {}),
        read=lambda reply: reply["attributeScores"][attribute]["summaryScore"]["value"],
        open_sender=lambda purpose: ServiceSender(
            purpose, Perspective(purpose), REQUESTS_PER_MINUTE
        ),
        find_obstacle=lambda: None if _read_key() else _MISSING_KEY,
    )


_MISSING_KEY = "there is no key; set PERSPECTIVE_API_KEY, or score_toxicity.scorer to another"


class Perspective:
    """The service, by google-api-python-client.

    Raises:
        InputError: it cannot be reached, or does not describe itself.
    """

    mend = (
        "check PERSPECTIVE_API_KEY, whether the Comment Analyzer API is enabled for its project, "
        "and score_toxicity.attribute"
    )

    def __init__(self, purpose: str) -> None:
        self._key, self._timeout = _read_key(), read_endpoint_settings().timeout
        # httplib2 is not for several threads
        self._own = threading.local()
        self._service = self._connect(purpose)

    def ask(self, request: Request) -> Response | Problem:
        """Score one text, once."""
        from googleapiclient.errors import Error, HttpError
        from httplib2 import HttpLib2Error  # type: ignore[import-untyped]

        try:
            call = self._service.comments().analyze(body=build_body(request))
            # its own retries would not keep the pace, and log the key
            reply = call.execute(http=self._open_http(), num_retries=0)
        except HttpError as error:
            return read_error(
                int(error.status_code), Headers(error.resp), bytes(error.content), self._key
            )
        except (Error, HttpLib2Error, OSError, ValueError) as error:
            return Problem(scrub(f"{type(error).__name__}: {error}", self._key))
        if not isinstance(reply, dict) or "attributeScores" not in reply:
            return Problem("the server sent something other than scores")
        text = json.dumps(reply, sort_keys=True)
        return hide_key(Response("answered", text, "perspective", answered_at=now()), self._key)

    def _connect(self, purpose: str) -> Any:
        from googleapiclient.discovery import build
        from googleapiclient.errors import Error
        from httplib2 import HttpLib2Error

        try:
            return build(
                "commentanalyzer",
                "v1alpha1",
                http=self._open_http(),
                developerKey=self._key,
                discoveryServiceUrl=os.environ.get("PERSPECTIVE_DISCOVERY_URL") or DISCOVERY,
                static_discovery=False,
                cache_discovery=False,
                num_retries=0,
            )
        except (Error, HttpLib2Error, OSError, ValueError) as error:
            words = scrub(f"{type(error).__name__}: {error}", self._key)
            raise InputError(
                f"{purpose}: Perspective cannot be reached ({words}); try again, or set "
                "score_toxicity.scorer to another"
            ) from None

    def _open_http(self) -> Any:
        from httplib2 import Http

        if not hasattr(self._own, "http"):
            self._own.http = Http(timeout=self._timeout)
        return self._own.http


def build_body(request: Request) -> dict[str, Any]:
    """What is sent for a request; the service is told to keep nothing."""
    question = request.response_format or {}
    body: dict[str, Any] = {
        "comment": {"text": request.messages[0]["content"], "type": "PLAIN_TEXT"},
        "requestedAttributes": {question["attribute"]: {}},
        "doNotStore": True,
    }
    return body | ({"languages": [question["language"]]} if "language" in question else {})


def read_error(status: int, headers: Mapping[str, str], raw: bytes, key: str) -> Response | Problem:
    """What an error means: an answer that stays, or a problem, passing or not."""
    content = parse(raw)
    words, kinds = read_words(status, content, raw, key), _list_kinds(content)
    if final := FINAL_ERRORS & kinds:
        return Response("failed", f"{min(final)}: {words}", "perspective", answered_at=now())
    problem = read_problem(status, headers, content, words)
    if kinds & set(RATE_LIMITS):
        return replace(problem, passing=True, limited=True, hopeless=False)
    # a key that is wrong is a 400 here, as is an attribute that does not exist
    return replace(problem, hopeless=problem.hopeless or status == 400, of_request=False)


def _list_kinds(content: Any) -> set[str]:
    """The types and reasons that Google's error object gives beside its message."""
    error = content.get("error") if isinstance(content, dict) else None
    found = []
    for name in ("details", "errors"):
        listed = error.get(name) if isinstance(error, dict) else None
        found += (
            [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        )
    return {str(item.get(field)) for item in found for field in ("errorType", "reason")}


def _read_key() -> str:
    return os.environ.get("PERSPECTIVE_API_KEY", "").strip()
