"""Starts the tests' loopback endpoint in a process of its own, and reads its counts."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
ENDPOINT = PROJECT / "tests" / "endpoint.py"


class Loopback:
    """A running endpoint."""

    def __init__(self, port: str) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"

    def stats(self) -> dict[str, Any]:
        """The endpoint's counts so far."""
        with urllib.request.urlopen(self.base_url.replace("/v1", "/stats")) as reply:
            return dict(json.load(reply))

    def environment(self, folder: Path, in_flight: int) -> dict[str, str]:
        """Variables for a client that keeps its store in a folder."""
        return os.environ | {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": "sk-loopback-0123456789",
            "NO_PROXY": "127.0.0.1",
            "FEEDBACK_LENS_STORE": str(folder / "store.sqlite"),
            "FEEDBACK_LENS_CONCURRENCY": str(in_flight),
            "PYTHONPATH": str(PROJECT / "src"),
            "TQDM_DISABLE": "1",
        }


@contextmanager
def run_endpoint(*options: str) -> Iterator[Loopback]:
    """Run the endpoint with these options of its command line until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        port = Path(folder) / "port"
        command = [sys.executable, str(ENDPOINT), "--port-file", str(port), *options]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                while not port.exists():
                    if process.poll() is not None:
                        raise SystemExit(f"the endpoint did not start: {' '.join(command)}")
                    time.sleep(0.02)
                yield Loopback(port.read_text())
            finally:
                process.kill()


@contextmanager
def make_folder() -> Iterator[Path]:
    """A folder for a while, on the disk where stores lie, ignored by Git."""
    parent = PROJECT / ".feedback-lens"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        yield Path(name)


def write_result(name: str, result: dict[str, Any]) -> None:
    """Print a benchmark's result and keep it in benchmarks/results."""
    text = json.dumps(result, indent=2)
    print(text)
    path = PROJECT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
