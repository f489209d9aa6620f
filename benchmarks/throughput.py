"""First request to last reply over the limit (requests x latency / in flight), way by way.

`python benchmarks/throughput.py`: 2,000 requests of 200 ms and 20,000 of 20 ms, 64 in flight; then
ours alone with 10% of injected faults, and under a rate limit of half the offered load.
"""

import json
import subprocess
import sys
from typing import Any

from loopback import PROJECT, Loopback, make_folder, run_endpoint, write_result

IN_FLIGHT = 64
WAYS = ("aiohttp", "ours", "openai")
REPEATS = 3
FAULTS = "rate_limited,broken,overloaded,reset,half_body,no_json,bad_gateway,disconnect"


def run_client(way: str, requests: int, server: Loopback) -> dict[str, Any]:
    command = [sys.executable, str(PROJECT / "benchmarks" / "client.py"), way]
    command += ["--requests", str(requests), "--in-flight", str(IN_FLIGHT)]
    with make_folder() as folder:
        environment = server.environment(folder, IN_FLIGHT)
        output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(output.stdout))


def measure(way: str, requests: int, latency: float, *options: str) -> dict[str, float]:
    with run_endpoint("--latency", str(latency), "--no-keep-bodies", *options) as server:
        client = run_client(way, requests, server)
        stats = server.stats()
    seconds = client["finished"] - stats["first_arrival"]
    return {
        "ratio_to_limit": round(seconds / (requests * latency / IN_FLIGHT), 3),
        "cpu_ms_a_call": round(client["cpu_seconds"] / requests * 1000, 3),
        "answers": client["answers"],
        "requests_received": stats["requests"],
        "duplicates_of_answered": stats["duplicates"],
        "seconds": round(seconds, 2),
    }


def compare(requests: int, latency: float) -> dict[str, dict[str, float]]:
    """Every way several times in turn, as a shared machine has moods: of each the median run."""
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(REPEATS):
        for way in WAYS:
            runs[way].append(measure(way, requests, latency))
    for found in runs.values():
        found.sort(key=lambda run: run["ratio_to_limit"])
    return {
        way: {
            **found[REPEATS // 2],
            "least_ratio": found[0]["ratio_to_limit"],
            "greatest_ratio": found[-1]["ratio_to_limit"],
        }
        for way, found in runs.items()
    }


def measure_limited(requests: int, latency: float, *options: str) -> dict[str, float]:
    """The use of a limit of half the load that is offered: in flight / latency / 2 a second.

    The server lets a second's worth through at once when it was idle; that counts as its limit too.
    """
    a_second = IN_FLIGHT / latency / 2
    limit = ("--rpm", str(int(a_second * 60)), "--burst", "1", *options)
    found = measure("ours", requests, latency, *limit)
    return found | {"use_of_limit": round(requests / a_second / (found["seconds"] + 1), 3)}


def main() -> None:
    result = {
        "2000_of_200_ms": compare(2000, 0.2),
        "20000_of_20_ms": compare(20000, 0.02),
        "2000_of_200_ms_with_10_percent_faults": measure(
            "ours", 2000, 0.2, "--fault-share", "0.1", "--faults", FAULTS
        ),
        "2000_of_200_ms_half_the_rate": measure_limited(2000, 0.2),
        "2000_of_200_ms_half_the_rate_without_limit_headers": measure_limited(
            2000, 0.2, "--no-limit-headers"
        ),
        "2000_of_200_ms_half_the_rate_without_any_header": measure_limited(
            2000, 0.2, "--no-limit-headers", "--no-retry-after"
        ),
    }
    write_result("throughput", result)


if __name__ == "__main__":
    main()
