"""The command line of the loopback endpoint: `python tests/endpoint.py`."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

import exact_loop
from endpoint import Endpoint, play_in_format
from faults import BEHAVES, FAULTS, Plan, hold_after, share
from limits import Limits


def main() -> None:
    """Serve until SIGTERM or Ctrl-C, then print the counts as one line of JSON."""
    arguments = _read_arguments()
    server = Endpoint(
        port=arguments.port,
        reply=play_in_format if arguments.role_play else lambda body: "A reply.",
        plan=_make_plan(arguments),
        latency=arguments.latency,
        jitter=arguments.jitter,
        seed=arguments.seed,
        drip=arguments.drip,
        limits=Limits(
            arguments.rpm,
            arguments.tpm,
            arguments.burst,
            arguments.limit_headers,
            arguments.retry_after,
        ),
        requests_log=arguments.requests_log,
        keep_bodies=arguments.keep_bodies,
    )
    exact_loop.run(_serve(server, arguments.port_file))
    print(json.dumps(server.stats()), flush=True)


async def _serve(server: Endpoint, port_file: Path | None) -> None:
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, server.stopping.set)
    if port_file:
        # renamed into place: whoever waits for the file never reads half of it
        temporary = port_file.with_suffix(".tmp")
        temporary.write_text(str(server.port), encoding="ascii")
        temporary.replace(port_file)
    print(server.port, flush=True)
    await server.run()


def _make_plan(arguments: argparse.Namespace) -> Plan:
    plan = BEHAVES
    if arguments.fault_share:
        plan = share(arguments.fault_share, arguments.faults, arguments.seed)
    return plan if arguments.hold is None else hold_after(arguments.hold, plan)


def _read_arguments() -> argparse.Namespace:
    switch = argparse.BooleanOptionalAction
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--port-file", type=Path, help="where the port is written")
    add("--requests-log", type=Path, help="one JSON line an answered request")
    add("--latency", type=float, default=0.0, help="seconds before each answer")
    add("--jitter", type=float, default=0.0, help="seconds more at most, drawn evenly")
    add("--drip", type=float, default=3.0, help="seconds that slow replies take")
    add("--seed", type=int, default=0, help="of jitter and faults")
    add("--hold", type=int, help="answer so many requests, then hang")
    add("--rpm", type=float, help="limit of requests per minute")
    add("--tpm", type=float, help="limit of tokens per minute")
    add("--burst", type=float, default=1.0, help="seconds' worth of a limit to use at once")
    add("--limit-headers", action=switch, default=True, help="tell of limits in headers")
    add("--retry-after", action=switch, default=True, help="tell when to come again")
    add("--fault-share", type=float, default=0.0, help="fraction of requests that meet a fault")
    add("--faults", type=_read_faults, default=("broken",), help="their names, comma separated")
    add("--keep-bodies", action=switch, default=True, help="remember what was asked")
    add("--role-play", action=switch, default=True, help="answer in the pipeline's roles")
    return parser.parse_args()


def _read_faults(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - FAULTS:
        raise argparse.ArgumentTypeError(f"no faults: {sorted(unknown)}; all: {sorted(FAULTS)}")
    return names
