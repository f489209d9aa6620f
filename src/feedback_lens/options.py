"""Options of the stages: every one is required, so that defaults live in params.yaml alone."""

from functools import partial
from pathlib import Path

import click

option = partial(click.option, required=True)
path_option = partial(click.option, type=Path, required=True)
list_option = partial(click.option, multiple=True)  # an empty list arrives as no option at all
