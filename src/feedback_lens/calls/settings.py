"""Settings that cannot change an output: numbers in environment variables FEEDBACK_LENS_*."""

import math
import os
from dataclasses import dataclass

from feedback_lens.errors import InputError

# more sockets than this no machine opens
MOST_IN_FLIGHT = 10_000


@dataclass(frozen=True)
class EndpointSettings:
    """How an endpoint is asked: requests at once, tries after the first, seconds, limits a minute.

    `timeout` is for one try, `total_timeout` for a request with all its tries and waits.
    """

    in_flight: int
    retries: int
    timeout: float
    total_timeout: float
    requests_per_minute: float | None
    tokens_per_minute: float | None


def read_endpoint_settings() -> EndpointSettings:
    """The settings of the environment.

    Raises:
        InputError: one of the variables has no value that it can have.
    """
    return EndpointSettings(
        in_flight=read_count("FEEDBACK_LENS_CONCURRENCY", 16, 1, MOST_IN_FLIGHT),
        retries=read_count("FEEDBACK_LENS_RETRIES", 5, 0, 1000),
        timeout=read_limit("FEEDBACK_LENS_TIMEOUT") or 120,
        total_timeout=read_limit("FEEDBACK_LENS_TOTAL_TIMEOUT") or 1800,
        requests_per_minute=read_limit("FEEDBACK_LENS_RPM"),
        tokens_per_minute=read_limit("FEEDBACK_LENS_TPM"),
    )


def read_count(name: str, default: int, least: int, most: int) -> int:
    """The whole number in an environment variable; `default` where it is not set.

    Raises:
        InputError: it holds none between `least` and `most`.
    """
    number = read_setting(name, default, least)
    if number != int(number) or number > most:
        value = os.environ[name]
        raise InputError(f"{name}={value!r}: set it to a whole number from {least} to {most}")
    return int(number)


def read_setting(name: str, default: float, least: float) -> float:
    """The finite number in an environment variable; `default` where it is not set.

    Raises:
        InputError: it holds no number, or one below `least`.
    """
    value = os.environ.get(name, "")
    number = _read_number(value or str(default))
    if not least <= number < math.inf:
        raise InputError(f"{name}={value!r}: set it to a number of {least:g} or more")
    return number


def read_limit(name: str) -> float | None:
    """A number above 0; None where the variable is not set.

    Raises:
        InputError: it holds no number above 0.
    """
    value = os.environ.get(name, "")
    if not value:
        return None
    number = _read_number(value)
    if not 0 < number < math.inf:
        raise InputError(f"{name}={value!r}: set it to a number above 0, or unset it")
    return number


def is_offline() -> bool:
    """Whether FEEDBACK_LENS_OFFLINE says that no endpoint is to be asked.

    Raises:
        InputError: it says neither that nor the opposite.
    """
    value = os.environ.get("FEEDBACK_LENS_OFFLINE", "").strip()
    if value.lower() in ("", "0", "false", "no", "off"):
        return False
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    raise InputError(f"FEEDBACK_LENS_OFFLINE={value!r}: set it to 1, or unset it")


def _read_number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
