"""Settings that cannot change an output: numbers in environment variables FEEDBACK_LENS_*."""

import math
import os

from feedback_lens.errors import InputError


def read_setting(name: str, default: float, least: float) -> float:
    """The finite number in an environment variable; `default` where it is not set.

    Raises:
        InputError: it holds no number, or one below `least`.
    """
    value = os.environ.get(name, "")
    try:
        number = float(value or default)
    except ValueError:
        number = math.nan
    if not least <= number < math.inf:
        raise InputError(f"{name}={value!r}: set it to a number of {least:g} or more")
    return number


def read_limit(name: str) -> float | None:
    """A limit that is above 0; None where the variable is not set.

    Raises:
        InputError: it holds no number above 0.
    """
    if not os.environ.get(name):
        return None
    limit = read_setting(name, 0.0, 0.0)
    if not limit:
        raise InputError(f"{name}={os.environ[name]!r}: set it to a number above 0, or unset it")
    return limit
