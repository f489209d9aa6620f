"""The scorers by the names that the parameters give them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from feedback_lens.errors import InputError
from feedback_lens.moderation.local import build_local
from feedback_lens.moderation.openai_moderation import build_openai_moderation
from feedback_lens.moderation.perspective import build_perspective
from feedback_lens.moderation.scorer import Scorer
from feedback_lens.options import Nullable, option, path_option


@dataclass(frozen=True)
class ScoringPolicy:
    """What scores texts, and what it is asked.

    `attribute` and `language` (None: as it detects) are Perspective's, `model` and `category`
    those of OpenAI's endpoint, `examples` (a CSV file) and `regularization` the local scorer's.
    """

    scorer: str
    attribute: str
    language: str | None
    model: str
    category: str
    examples: Path
    regularization: float


def scoring_options(stage: Callable[..., None]) -> Callable[..., None]:
    """A stage's function with the options of a `ScoringPolicy`, which it takes as `policy`."""

    @option("--scorer")
    @option("--attribute")
    @option("--language", type=Nullable(click.STRING))
    @option("--model")
    @option("--category")
    @path_option("--examples")
    @option("--regularization", type=click.FloatRange(0, min_open=True))
    @wraps(stage)
    def with_policy(
        *,
        scorer: str,
        attribute: str,
        language: str | None,
        model: str,
        category: str,
        examples: Path,
        regularization: float,
        **others: Any,
    ) -> None:
        policy = ScoringPolicy(
            scorer, attribute, language, model, category, examples, regularization
        )
        stage(policy=policy, **others)

    return with_policy


def build_scorer(policy: ScoringPolicy) -> Scorer:
    """The scorer that a policy names.

    Raises:
        InputError: there is none of the name, or what it needs is missing.
    """
    if policy.scorer not in _SCORERS:
        raise InputError(
            f"score_toxicity.scorer: {policy.scorer!r} is none of {', '.join(_SCORERS)}"
        )
    return _SCORERS[policy.scorer](policy)


_SCORERS: Mapping[str, Callable[[ScoringPolicy], Scorer]] = {
    "local": lambda policy: build_local(policy.examples, policy.regularization),
    "perspective": lambda policy: build_perspective(policy.attribute, policy.language),
    "openai_moderation": lambda policy: build_openai_moderation(policy.model, policy.category),
}
