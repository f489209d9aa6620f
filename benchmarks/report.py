"""The report with 2,000 conversations in headless Chromium, beside the same page without any.

`python benchmarks/report.py [--conversations 2000] [--rounds 7]`. Seconds until the page stands
(from the start of navigation until list and count are there and a frame was drawn), milliseconds
that a filter, a search and a reset take until theirs is drawn, the file's size, and what the stage
takes to make it. The log is generated (tests/report_corpus.py); rounds go page by page in turn.
"""

import argparse
import gzip
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from loopback import PROJECT, make_folder, write_result

sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "tests")]

from browsing import CHROMIUM, FLAGS
from report_corpus import write_large_world

TARGETS = {"load_seconds": 2.0, "filter_ms": 100.0}
# what a frame after the scripts shows has been drawn when the task behind it runs
STANDING = """
addEventListener("DOMContentLoaded", () => {
  const wait = () => {
    const count = document.getElementById("count");
    const stands = !count || (count.textContent && document.querySelector("#list .card"));
    if (!stands) return requestAnimationFrame(wait);
    requestAnimationFrame(() => setTimeout(() => { window.standing = performance.now() / 1000; }));
  };
  wait();
});
"""
# a change of one field of the filters as a person makes it, until the page shows what it found
CHANGE = """
([name, value]) => new Promise((resolve) => {
  const input = document.querySelector(`#filters [name=${name}]`);
  const began = performance.now();
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
})
"""
RESET = """
() => new Promise((resolve) => {
  const began = performance.now();
  document.getElementById("reset").click();
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
})
"""
# of the log's made-up words: one letter in all texts, a syllable, and two that no text has together
SEARCHES = ("k", "ka", "ka stefe zzz")


def build(arguments: Sequence[str], conversations: int, page: Path) -> dict[str, float]:
    """Run the stage in a process of its own; seconds and peak MB that it took."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    options |= {"--conversations": str(conversations), "--report": str(page)}
    command = [sys.executable, "-m", "feedback_lens.stages.report"]
    command += [part for option in options.items() for part in option]
    began = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src")}
    with subprocess.Popen(command, env=environment) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the stage failed: {' '.join(command)}")
    return {"seconds": time.perf_counter() - began, "peak_mb": used.ru_maxrss * 1024 / 1e6}


def open_measured(browser: Browser, path: Path) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.add_init_script(STANDING)
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_function("() => window.standing !== undefined")
    return page


def count_found(page: Page) -> tuple[int, int]:
    """How many conversations the page says it shows, and of how many."""
    found, _, known, *_ = page.locator("#count").inner_text().split()
    return int(found), int(known)


def measure_round(browser: Browser, full: Path, empty: Path) -> dict[str, float]:
    """One visit of both pages; seconds of loading, milliseconds of the rest."""
    page = open_measured(browser, empty)
    found = {"empty": page.evaluate("window.standing")}
    page.context.close()
    page = open_measured(browser, full)
    found["load"] = page.evaluate("window.standing")
    found["conversations"] = count_found(page)[0]
    # at once, before the page had a moment to prepare anything
    found["first_search"] = page.evaluate(CHANGE, ["words", SEARCHES[0]])
    found["reset"] = page.evaluate(RESET)
    found["label"] = page.evaluate(CHANGE, ["label", "NEG_2"])
    assert 0 < count_found(page)[0] < found["conversations"]
    page.evaluate(RESET)
    assert count_found(page)[0] == found["conversations"]
    for place, words in enumerate(SEARCHES):
        found[f"search_{place + 1}"] = page.evaluate(CHANGE, ["words", words])
    page.context.close()
    return found


def spread(values: Sequence[float], digits: int) -> dict[str, float]:
    found = {"median": median(values), "least": min(values), "greatest": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def summarize(rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    by_name = {name: [each[name] for each in rounds] for name in rounds[0]}
    filters = {
        name: by_name[name] for name in by_name if name not in ("empty", "load", "conversations")
    }
    ratios = [each["load"] / each["empty"] for each in rounds]
    slowest = max(median(values) for values in filters.values())
    return {
        "conversations": round(by_name["conversations"][0]),
        "load_seconds": spread(by_name["load"], 3),
        "load_seconds_without_conversations": spread(by_name["empty"], 3),
        "load_ratio": spread(ratios, 2),
        "filter_ms": {name: spread(values, 1) for name, values in filters.items()},
        "reached": {
            "load_within_2_s": median(by_name["load"]) <= TARGETS["load_seconds"],
            "filter_within_100_ms": slowest <= TARGETS["filter_ms"],
        },
    }


def measure(folder: Path, conversations: int, rounds: int) -> dict[str, Any]:
    arguments = write_large_world(folder, conversations)
    full, empty = folder / "full.html", folder / "empty.html"
    made = [
        # of each of the two corpora, half
        (build(arguments, conversations // 2, full), build(arguments, 0, empty))
        for _ in range(3)
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        measure_round(browser, full, empty)  # the browser's own start is not the page's
        found = summarize([measure_round(browser, full, empty) for _ in range(rounds)])
        version = browser.version
        browser.close()
    content = full.read_bytes()
    return {
        "chromium": version,
        **found,
        "file_mb": round(len(content) / 1e6, 2),
        "file_mb_gzipped": round(len(gzip.compress(content, 6)) / 1e6, 2),
        "file_mb_without_conversations": round(empty.stat().st_size / 1e6, 2),
        "stage_seconds": spread([ours["seconds"] for ours, _ in made], 2),
        "stage_seconds_ratio": spread(
            [ours["seconds"] / bare["seconds"] for ours, bare in made], 2
        ),
        "stage_peak_mb": round(max(ours["peak_mb"] for ours, _ in made)),
        "stage_peak_mb_without_conversations": round(max(bare["peak_mb"] for _, bare in made)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    if CHROMIUM is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    load = os.getloadavg()[0]
    with make_folder() as folder:
        result = measure(folder, arguments.conversations, arguments.rounds)
    write_result("report", {"load_before": round(load, 2), **result})


if __name__ == "__main__":
    main()
