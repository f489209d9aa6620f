"""User turns that the local detector labels a second on one core, and its memory on large logs.

`python benchmarks/detection.py`: the detector and the plain one over sentence embeddings label the
same turns in one process and one thread; then the detector 10,000 and 100,000 conversations, read
and written as the stage `label` does, in a process each.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

# before a library starts its threads
os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}

import numpy as np
import yaml

from loopback import PROJECT, make_folder, write_result

sys.path.insert(0, str(PROJECT / "src"))

from feedback_lens.feedback.gold.annotators import read_gold, reduce_gold
from feedback_lens.feedback.labeling import LocalLabeler
from feedback_lens.feedback.labels import LABELS
from feedback_lens.feedback.local.crossvalidation import evaluate_out_of_fold, predict_out_of_fold
from feedback_lens.feedback.local.detector import Detector, fit_detector, save_detector
from feedback_lens.feedback.local.heads import Heads, fit_heads
from feedback_lens.feedback.local.sentences import embed_turns
from feedback_lens.logs.conversation import CONVERSATIONS, Conversation, read_conversations
from feedback_lens.logs.samples import read_samples
from feedback_lens.tables import write_rows

REPEATS = 5
LOGS = (10_000, 100_000)
DATA = PROJECT / "data"


def read_annotated() -> tuple[list[Conversation], dict[tuple[str, int], str]]:
    gold = {
        key: label
        for path in sorted(DATA.glob("gold/*/gold.csv"))
        for key, label in reduce_gold(read_gold(path)).items()
    }
    annotated = {identifier for identifier, _ in gold}
    conversations = read_samples(DATA / "sample")
    return [c for c in conversations if c.conversation_id in annotated], gold


def fit_plain(
    detector: Detector,
    conversations: Sequence[Conversation],
    gold: dict[tuple[str, int], str],
    regularization: float,
) -> Heads:
    features, keys = embed_turns(conversations)
    rows = [row for row, key in enumerate(keys) if key in gold]
    keys = [keys[row] for row in rows]
    folds = len(detector.heads.temperatures) - 1
    labels = [gold[key] for key in keys]
    return fit_heads(features[rows], labels, detector.find_heads(keys), folds, regularization, ())


def label_plainly(heads: Heads, conversations: Sequence[Conversation]) -> int:
    features, keys = embed_turns(conversations)
    heads.probabilities(features, np.full(len(keys), -1))
    return len(keys)


def compare_speed(
    detector: Detector, plain: Heads, conversations: Sequence[Conversation]
) -> dict[str, float]:
    """Turns a second of both, in turn: of each the median; a first round loads what they need."""
    ways: dict[str, Callable[[Sequence[Conversation]], int]] = {
        "local": lambda talks: len(detector.label(talks)),
        "minilm": lambda talks: label_plainly(plain, talks),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for label in ways.values():
        label(conversations[:2])
    for _ in range(REPEATS):
        for name, label in ways.items():
            began = time.perf_counter()
            turns = label(conversations)
            speeds[name].append(turns / (time.perf_counter() - began))
    local, minilm = (median(speeds[name]) for name in ways)
    return {
        "local_turns_a_second": round(local),
        "minilm_turns_a_second": round(minilm),
        "ratio": round(local / minilm, 1),
    }


def lengthen_replies(conversation: Conversation, times: int) -> Conversation:
    messages = (
        replace(message, content="\n".join([message.content] * times))
        if message.role == "assistant"
        else message
        for message in conversation.messages
    )
    return replace(conversation, messages=tuple(messages))


def measure_memory(
    detector: Detector, conversations: Sequence[Conversation], count: int
) -> dict[str, Any]:
    """A log of so many conversations, labeled in a process of its own."""

    def repeat() -> Iterator[dict[str, Any]]:
        for number, conversation in enumerate(islice(cycle(conversations), count)):
            yield {**conversation.as_row(), "conversation_id": f"conversation-{number}"}

    with make_folder() as folder:
        save_detector(detector, folder / "detector")
        write_rows(repeat(), folder / "conversations.parquet", CONVERSATIONS)
        command = [sys.executable, __file__, str(folder)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(output.stdout))


def label_log(folder: Path) -> None:
    """The child: label a folder's conversations and print what it took."""
    labeler = LocalLabeler(folder / "detector")
    warm = islice(read_conversations(folder / "conversations.parquet"), 64)
    sum(1 for _ in labeler.label(warm))
    # the peak counts from here on
    Path("/proc/self/clear_refs").write_text("5")
    idle, began, turns = read_memory("VmRSS"), time.perf_counter(), 0

    def count(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        nonlocal turns
        for row in rows:
            turns += 1
            yield row

    rows = iter(labeler.label(read_conversations(folder / "conversations.parquet")))
    write_rows(count(rows), folder / "labels.parquet", LABELS)
    seconds = time.perf_counter() - began
    found = {
        "turns": turns,
        "turns_a_second": round(turns / seconds),
        "idle_mb": round(idle),
        "peak_above_idle_mb": round(read_memory("VmHWM") - idle),
    }
    print(json.dumps(found))


def read_memory(name: str) -> float:
    """MB of this process by /proc: `VmRSS` now, `VmHWM` at the peak.

    The peak of `resource.getrusage` would be that of the parent, where it is higher.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if len(sys.argv) > 1:
        label_log(Path(sys.argv[1]))
        return
    settings = yaml.safe_load((PROJECT / "params.yaml").read_text())["fit_detector"]
    conversations, gold = read_annotated()
    detector = fit_detector(conversations, gold, settings["folds"], settings["regularization"])
    found = predict_out_of_fold(detector, conversations, gold, settings["regularization"])
    metrics = evaluate_out_of_fold(found, 10, 1000, 1)
    plain = fit_plain(detector, conversations, gold, settings["regularization"])
    longer = [lengthen_replies(conversation, 5) for conversation in conversations]
    result = {
        "turns": len(found.actual),
        "sample": compare_speed(detector, plain, conversations),
        "sample_with_replies_five_times_as_long": compare_speed(detector, plain, longer),
        "out_of_fold": {
            name: {
                "three_way_accuracy": round(metrics[name]["three_way"]["accuracy"], 3),
                "fine_accuracy": round(metrics[name]["fine"]["accuracy"], 3),
                "fine_macro_f1": round(metrics[name]["fine"]["macro"]["f1"], 3),
            }
            for name in ("local", "minilm", "keywords")
        },
        **{
            f"{count}_conversations": measure_memory(detector, conversations, count)
            for count in LOGS
        },
    }
    write_result("detection", result)


if __name__ == "__main__":
    main()
