import traceback
from pathlib import Path

import pytest

from canned import Canned, completion, serve_canned
from endpoint import KEY
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.request import Response, Sampling, ask_user
from feedback_lens.errors import InputError


def ask_one(folder: Path) -> Response:
    [response] = open_assistant("label", "m", folder).ask([ask_user("m", "hi", Sampling())])
    return response


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "0")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return monkeypatch


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used(
    name: str, proxied: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve_canned(Canned(completion())) as proxy:
        proxied.setenv(name, proxy.root)
        proxied.setenv("OPENAI_BASE_URL", "http://models.invalid:8000/v1")
        assert ask_one(tmp_path).text == "Fine."
    assert proxy.targets == ["http://models.invalid:8000/v1/chat/completions"]


@pytest.mark.parametrize("hosts", ["127.0.0.1", "example.org, 127.0.0.1", "*", "127.0.0.1:{port}"])
def test_a_server_that_no_proxy_names_is_asked_directly(
    hosts: str, proxied: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve_canned(Canned(b"", 502)) as proxy, serve_canned(Canned(completion())) as direct:
        proxied.setenv("HTTP_PROXY", proxy.root)
        proxied.setenv("NO_PROXY", hosts.format(port=direct.server_address[1]))
        proxied.setenv("OPENAI_BASE_URL", direct.base_url)
        assert ask_one(tmp_path).text == "Fine."
    assert (proxy.targets, direct.targets) == ([], ["/v1/chat/completions"])


def test_a_proxy_that_is_down_is_an_error_that_does_not_show_its_password(
    proxied: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxied.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    proxied.setenv("OPENAI_BASE_URL", "http://models.invalid/v1")
    with pytest.raises(InputError, match="label: 1 requests got no answer") as error:
        ask_one(tmp_path)
    assert "secret" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense"])
def test_a_proxy_that_cannot_be_used_is_an_error(
    proxy: str, proxied: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxied.setenv("ALL_PROXY", proxy)
    proxied.setenv("OPENAI_BASE_URL", "http://models.invalid/v1")
    with pytest.raises(InputError, match="label: "):
        ask_one(tmp_path)


@pytest.mark.parametrize("base_url", ["nonsense", "http://", "ftp://127.0.0.1/v1", "http://[::1"])
def test_a_base_url_that_is_none_is_an_error(
    base_url: str, proxied: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxied.setenv("OPENAI_BASE_URL", base_url)
    with pytest.raises(InputError, match="OPENAI_BASE_URL"):
        ask_one(tmp_path)
