"""The stage `label` killed at random moments under injected faults, and run again: 50 times.

`python benchmarks/kills.py [--runs 50] [--seed 1]`. Every run has an empty store, meets 10% of
faults, is killed (SIGKILL) at a random moment, and then runs to its end. Compared with a run that
nothing disturbed: the bytes of its outs. Counted at the server: requests that were answered again,
of those that the store held at the kill (must be 0), and of those in flight (at most the slots).
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from loopback import PROJECT, Loopback, make_folder, run_endpoint, write_result

sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "tests")]

from endpoint import fingerprint
from feedback_lens.calls.store import ResponseStore
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.tables import write_rows

CONVERSATION_COUNT = 400
IN_FLIGHT = 16
FAULTS = "rate_limited,broken,overloaded,reset,half_body,no_json,bad_gateway,disconnect"
DELAYS = ("--latency", "0.04", "--jitter", "0.02", "--no-keep-bodies")
SAID = ("That is wrong.", "Thanks!", "Explain that.", "No, in French.", "And the second one?")


def write_corpus(path: Path) -> None:
    """Conversations of two to four user turns, no two alike."""
    rows = []
    for number in range(CONVERSATION_COUNT):
        texts = [f"Question {number}: what is {number} times {number}?", "It is a large number."]
        for turn in range(1 + number % 3):
            texts += [SAID[(number + turn) % len(SAID)], "Let me see."]
        messages = [
            {"role": ("user", "assistant")[index % 2], "content": text}
            for index, text in enumerate(texts)
        ]
        row = dict.fromkeys(CONVERSATIONS.names) | {"conversation_id": f"c{number:04d}"}
        rows.append(row | {"corpus": "made", "messages": messages})
    write_rows(rows, path, CONVERSATIONS)


def start_label(server: Loopback, folder: Path, corpus: Path) -> subprocess.Popen[bytes]:
    options = {
        "conversations": corpus,
        "detector": "prompted",
        "detector_folder": folder,
        "prompts": PROJECT / "prompts",
        "assistant": folder,
        "labels": folder / "labels.parquet",
        "counts": folder / "counts.json",
        "model": "loopback",
        "temperature": 0.0,
        "max_tokens": 512,
        "reasoning_effort": None,
        "reasks": 1,
        "samples": 1,
        "window": 60000,
        "abstain_below": 0.0,
    }
    flags = ("--no-structured", "--no-logprobs")
    command = [sys.executable, "-m", "feedback_lens.stages.label", *flags]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return subprocess.Popen(
        command, env=server.environment(folder, IN_FLIGHT), stderr=subprocess.DEVNULL
    )


def finish_label(server: Loopback, folder: Path, corpus: Path) -> None:
    """Run the stage to its end; where faults outlasted the retries, run it again as it says."""
    for _ in range(5):
        with start_label(server, folder, corpus) as process:
            if process.wait() == 0:
                return
    raise SystemExit(f"the stage did not come to its end in {folder}")


def hash_outs(folder: Path) -> list[str]:
    outs = (folder / "labels.parquet", folder / "counts.json")
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in outs]


def list_kept(folder: Path) -> set[str]:
    """Fingerprints of the requests that the store holds."""
    if not (folder / "store.sqlite").exists():
        return set()
    store = ResponseStore(folder / "store.sqlite")
    kept = {fingerprint(json.loads(row["request"])) for row in store.rows()}
    store.close()
    return kept


def kill_once(run: int, seconds: float, corpus: Path, expected: list[str]) -> dict[str, Any]:
    draw = random.Random(run)
    with make_folder() as folder:
        log = folder / "requests.jsonl"
        faults = ("--fault-share", "0.1", "--faults", FAULTS, "--seed", str(run))
        with run_endpoint(*DELAYS, *faults, "--requests-log", str(log)) as server:
            with start_label(server, folder, corpus) as process:
                time.sleep(draw.uniform(0, seconds))
                process.kill()
            kept = list_kept(folder)
            finish_label(server, folder, corpus)
            answered = Counter(json.loads(line)["request"] for line in log.open())
        again = {request for request, count in answered.items() if count > 1}
        return {
            "kept_at_the_kill": len(kept),
            "kept_and_answered_again": len(again & kept),
            "in_flight_answered_again": sum(answered[request] - 1 for request in again),
            "lost": CONVERSATION_COUNT - len(list_kept(folder)),
            "outs_differ": hash_outs(folder) != expected,
        }


def measure(count: int, seed: int) -> dict[str, int]:
    """Kill so many runs; the seed draws the moments and the faults."""
    with make_folder() as folder:
        corpus = folder / "made.parquet"
        write_corpus(corpus)
        with run_endpoint(*DELAYS) as server:
            began = time.time()
            finish_label(server, folder, corpus)
        seconds = time.time() - began
        runs = [
            kill_once(seed * 1000 + run, seconds, corpus, hash_outs(folder)) for run in range(count)
        ]
    return {
        "runs": len(runs),
        "requests_a_run": CONVERSATION_COUNT,
        "slots": IN_FLIGHT,
        "killed_with_some_but_not_all_kept": sum(
            0 < run["kept_at_the_kill"] < CONVERSATION_COUNT for run in runs
        ),
        "kept_and_answered_again": sum(run["kept_and_answered_again"] for run in runs),
        "most_in_flight_answered_again": max(run["in_flight_answered_again"] for run in runs),
        "lost": sum(run["lost"] for run in runs),
        "outs_that_differ": sum(run["outs_differ"] for run in runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    write_result("kills", measure(arguments.runs, arguments.seed))


if __name__ == "__main__":
    main()
