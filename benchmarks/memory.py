"""100,000 requests streamed: peak memory above the idle process; then the same from the store.

`python benchmarks/memory.py`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from loopback import PROJECT, Loopback, make_folder, run_endpoint, write_result

REQUESTS = 100_000
IN_FLIGHT = 64


def run_client(server: Loopback, folder: Path, requests: int) -> dict[str, Any]:
    command = [sys.executable, str(PROJECT / "benchmarks" / "client.py"), "ours"]
    command += ["--requests", str(requests), "--in-flight", str(IN_FLIGHT)]
    environment = server.environment(folder, IN_FLIGHT)
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found = json.loads(output.stdout)
    return {
        "answers": found["answers"],
        "answers_a_second": round(requests / (found["finished"] - found["began"])),
        "idle_mb": round(found["idle_mb"]),
        "peak_above_idle_mb": round(found["peak_mb"] - found["idle_mb"]),
    }


def main() -> None:
    with (
        make_folder() as folder,
        run_endpoint("--latency", "0.005", "--no-keep-bodies") as server,
    ):
        # so that growth shows: a tenth of the requests first, in a store of their own
        (folder / "tenth").mkdir()
        result = {
            "10000_from_the_endpoint": run_client(server, folder / "tenth", REQUESTS // 10),
            "100000_from_the_endpoint": run_client(server, folder, REQUESTS),
            "100000_from_the_store": run_client(server, folder, REQUESTS),
            "requests_received": server.stats()["requests"],
        }
    write_result("memory", result)


if __name__ == "__main__":
    main()
