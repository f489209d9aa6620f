"""Google's Perspective API, which ends on 2026-12-31.

Source: paper section 4, footnote 7; developers.perspectiveapi.com.
"""

import os
import time
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from feedback_lens.errors import InputError

DISCOVERY = "https://commentanalyzer.googleapis.com/$discovery/rest?version=v1alpha1"
SECONDS_PER_REQUEST = 1.0  # the default quota
MAX_BYTES = 20480


def score_by_perspective(texts: Sequence[str]) -> list[float]:
    """The TOXICITY attribute of each text, in 0..1; needs PERSPECTIVE_API_KEY.

    Raises:
        InputError: there is no key, the service cannot be reached, or it turns a text down.
    """
    from googleapiclient.errors import Error, HttpError
    from httplib2 import HttpLib2Error  # type: ignore[import-untyped]

    key = os.environ.get("PERSPECTIVE_API_KEY")
    if not key:
        raise InputError(
            "score_toxicity: the scorer 'perspective' needs PERSPECTIVE_API_KEY; set it, or set "
            "score_toxicity.scorer to lexicon"
        )
    try:
        service = _connect(key)
        return [_score(service, text) for text in tqdm(texts, "score_toxicity", unit="text")]
    except HttpError as error:
        raise InputError(
            f"score_toxicity: Perspective answered {error.status_code}: {error.reason}"
        ) from None
    except (Error, HttpLib2Error, OSError) as error:
        raise InputError(
            f"score_toxicity: Perspective cannot be reached ({error}); try again, or set "
            "score_toxicity.scorer to lexicon"
        ) from None


def _connect(key: str) -> Any:
    from googleapiclient.discovery import build

    return build(
        "commentanalyzer",
        "v1alpha1",
        developerKey=key,
        discoveryServiceUrl=os.environ.get("PERSPECTIVE_DISCOVERY_URL", DISCOVERY),
        static_discovery=False,
        cache_discovery=False,
    )


def _score(service: Any, text: str) -> float:
    started = time.monotonic()
    body = {
        "comment": {"text": _cut(text)},
        "requestedAttributes": {"TOXICITY": {}},
        "languages": ["en"],
        "doNotStore": True,
    }
    reply = service.comments().analyze(body=body).execute(num_retries=5)
    time.sleep(max(0.0, SECONDS_PER_REQUEST - (time.monotonic() - started)))
    return float(reply["attributeScores"]["TOXICITY"]["summaryScore"]["value"])


def _cut(text: str) -> str:
    return text.encode()[:MAX_BYTES].decode(errors="ignore")
