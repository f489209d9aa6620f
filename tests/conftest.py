import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# how long an example takes says more of the machine than of the code
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# read once, by whichever test imports transformers first
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests take minutes go first: at the end one process would be left alone."""
    slow = {item.path for item in items if item.get_closest_marker("pipeline")}
    training = {item.path for item in items if item.get_closest_marker("training")}
    items.sort(key=lambda item: (item.path not in slow, item.path not in training))


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC cache that all test projects use: what one of them made the others need not run."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "dvc-cache"


@pytest.fixture(scope="module", autouse=True)
def one_browser_a_module() -> Iterator[None]:
    """The pages of a module's tests are opened in one browser, which ends with the module."""
    yield
    if "browsing" in sys.modules:
        sys.modules["browsing"].stop_browser()
