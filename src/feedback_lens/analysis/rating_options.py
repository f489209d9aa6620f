"""The options that the two stages share that rate prompts, the section `rate_prompts`."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from feedback_lens.analysis.quality import Rating
from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.options import option, path_option


def rating_options(stage: Callable[..., None]) -> Callable[..., None]:
    """A stage's function with the options of a `Rating`, which it takes as `rating`.

    It takes `resamples` and `seed` of the intervals too.
    """

    @path_option("--prompts")
    @option("--rater")
    @option("--structured/--no-structured")
    @option("--tokenizer")
    @option("--counting")
    @option("--resamples", type=click.IntRange(1))
    @option("--seed", type=int)
    @policy_options
    @wraps(stage)
    def with_rating(
        *,
        prompts: Path,
        rater: str,
        structured: bool,
        tokenizer: str,
        counting: str,
        policy: AskPolicy,
        **others: Any,
    ) -> None:
        rating = Rating(rater, prompts, policy, structured, tokenizer, counting)
        stage(rating=rating, **others)

    return with_rating
