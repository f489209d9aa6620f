"""Options of the stages: every one is required, so that defaults live in params.yaml alone."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from feedback_lens.garbage import put_off_collection

put_off_collection()  # every stage imports this module

option = partial(click.option, required=True)
path_option = partial(click.option, type=Path, required=True)
list_option = partial(click.option, multiple=True)  # an empty list arrives as no option at all


class Nullable(click.ParamType[Any]):
    """A type whose parameter may be null, which DVC spells `None`."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self.inner = inner
        self.name = inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of the inner type; None for the word `None`."""
        return None if value == "None" else self.inner.convert(value, param, ctx)


TEMPERATURE = Nullable(click.FloatRange(0, 2))
REASONING_EFFORT = Nullable(click.Choice(["none", "minimal", "low", "medium", "high", "xhigh"]))
MAX_TOKENS = Nullable(click.IntRange(1))
