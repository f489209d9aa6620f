"""The loopback endpoint as a process of its own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import aiohttp
import pytest

from endpoint import KEY
from faults import (
    share,
)


@pytest.fixture
def process(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    options = ["--port-file", str(tmp_path / "port"), "--requests-log", str(tmp_path / "log")]
    script = str(Path(__file__).with_name("endpoint.py"))
    command = [sys.executable, script, *options, *request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


async def send_to(port: int, count: int) -> list[int]:
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    statuses = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        for number in range(count):
            message = {"role": "user", "content": f"question {number}"}
            async with session.post(url, json={"model": "m", "messages": [message]}) as reply:
                statuses.append(reply.status)
    return statuses


@pytest.mark.parametrize(
    "process",
    [["--no-keep-bodies", "--fault-share", "0.3", "--faults", "broken,overloaded", "--seed", "5"]],
    indirect=True,
)
def test_another_process_reads_the_counts(process: subprocess.Popen[str], tmp_path: Path) -> None:
    assert process.stdout is not None
    port = int(process.stdout.readline())
    assert (tmp_path / "port").read_text() == str(port)
    statuses = asyncio.run(send_to(port, 20))
    plan = share(0.3, ["broken", "overloaded"], 5)
    codes = {None: 200, "broken": 500, "overloaded": 503}
    assert statuses == [codes[plan(arrival, {})] for arrival in range(20)]
    with urlopen(f"http://127.0.0.1:{port}/stats") as reply:
        stats = json.load(reply)
    assert (stats["requests"], stats["answered"]) == (20, statuses.count(200))
    assert stats["bodies_kept"] == 0
    process.terminate()
    last = json.loads(process.communicate(timeout=10)[0])
    assert process.returncode == 0
    del stats["cpu_seconds"], last["cpu_seconds"]
    assert last == stats
    assert len((tmp_path / "log").read_text().splitlines()) == statuses.count(200)


@pytest.mark.parametrize(
    "process", [["--rpm", "12", "--burst", "15", "--no-limit-headers"]], indirect=True
)
def test_limits_come_from_the_command_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    port = int(process.stdout.readline())
    # 12 a minute are 3 in 15 s
    assert asyncio.run(send_to(port, 4)) == [200, 200, 200, 429]


def test_a_misspelt_fault_is_refused_on_the_command_line() -> None:
    script = str(Path(__file__).with_name("endpoint.py"))
    run = subprocess.run(
        [sys.executable, script, "--faults", "brokn"], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "no faults: ['brokn']" in run.stderr
