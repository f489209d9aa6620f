"""A model server for tests: the loopback endpoint under one model's name, with a child process.

`python tests/named_endpoint.py --port P --name N --state FILE`; FILE gets the pids of the server and
its child, and the OPENAI_ variables that it was given.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import exact_loop
from endpoint import Endpoint


def main() -> None:
    """Serve until it is ended, or dies on demand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--die-at", type=int, help="the request at which it dies")
    parser.add_argument("--hang-at", type=int, help="the request from which on it hangs")
    parser.add_argument("--stubborn", action="store_true", help="the child ignores SIGTERM")
    arguments = parser.parse_args()
    ignoring = signal.SIG_IGN if arguments.stubborn else signal.SIG_DFL
    signal.signal(signal.SIGTERM, ignoring)
    child = subprocess.Popen(["sleep", "600"])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    given = {name: value for name, value in os.environ.items() if name.startswith("OPENAI_")}
    state = {"pids": [os.getpid(), child.pid], "environment": given}
    arguments.state.write_text(json.dumps(state))
    print("loading the weights", flush=True)

    def misbehave(arrival: int, body: Mapping[str, Any]) -> str | None:
        if arrival == arguments.die_at:
            print("CUDA out of memory", file=sys.stderr, flush=True)
            os._exit(3)
        return "hang" if arguments.hang_at is not None and arrival >= arguments.hang_at else None

    log = arguments.state.with_suffix(".requests")
    names = (arguments.name,)
    server = Endpoint(port=arguments.port, plan=misbehave, models=names, requests_log=log)
    exact_loop.run(server.run())


if __name__ == "__main__":
    main()
