"""The `openai` package's client for the settings of the environment, and what it says of them."""

import os
import urllib.request

import openai

from feedback_lens.calls.problem import mask_passwords
from feedback_lens.errors import InputError


def read_key() -> str:
    """The key of the endpoint; blanks and line breaks around it are slips."""
    return os.environ.get("OPENAI_API_KEY", "").strip()


def open_client(purpose: str) -> openai.AsyncOpenAI:
    """The package's client.

    Raises:
        InputError: OPENAI_BASE_URL is no URL, the key cannot stand in a header, or the proxy that
            the environment names cannot be used.
    """
    if not read_key().isprintable():
        wrong = "OPENAI_API_KEY holds a line break or the like; set the key alone"
        raise InputError(f"{purpose}: {wrong}")
    try:
        client = openai.AsyncOpenAI(api_key=read_key())
        if client.base_url.scheme in ("http", "https") and client.base_url.host:
            return client
        wrong = "no URL of a server"
    except ImportError as error:
        raise InputError(
            f"{purpose}: the proxy that the environment names cannot be used ({error})"
        ) from None
    except Exception as error:  # the package lets errors of several libraries through
        wrong = str(error)
    url = mask_passwords(os.environ.get("OPENAI_BASE_URL", ""))
    raise InputError(
        f"{purpose}: OPENAI_BASE_URL={url!r}: {wrong}; give one such as http://localhost:8000/v1"
    )


def read_headers(client: openai.AsyncOpenAI) -> dict[str, str]:
    """What the package sends with every call: key, organization, project, its version."""
    headers = {**client.default_headers, **client.auth_headers}
    # the package marks headers that are not to be sent by an object
    return {name: value for name, value in headers.items() if isinstance(value, str)}


def find_proxy(client: openai.AsyncOpenAI) -> str | None:
    """The proxy that the environment names for the server."""
    url = client.base_url
    port = url.port or (443 if url.scheme == "https" else 80)
    if urllib.request.proxy_bypass(f"{url.host}:{port}"):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"
