"""The train stage as a process of its own, to be killed, stopped and run beside others."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_lens.logs.conversation import MESSAGE
from feedback_lens.tables import write_rows
from training_rows import SETTINGS, make_rows

SCHEMA = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("prompt", pa.list_(MESSAGE)),
        ("completion", pa.list_(MESSAGE)),
        ("desirable", pa.bool_()),
        ("held_out", pa.bool_()),
    ]
)


def write_set(folder: Path, desirable: int | None) -> Path:
    """A training set of 48 rows to train on, 12 held out."""
    path = folder / "set.parquet"
    write_rows(make_rows(60, desirable), path, SCHEMA)
    return path


def start(
    workspace: Path,
    training_set: Path,
    base: Path,
    environment: Mapping[str, str] | None = None,
    **changed: Any,
) -> subprocess.Popen[str]:
    """Start the stage in a workspace: 72 steps of 4 rows, a working checkpoint every other one."""
    settings = asdict(replace(SETTINGS, **{"epochs": 6, "save_every": 2, **changed}))
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    workspace.mkdir(exist_ok=True)
    return subprocess.Popen(
        f"{sys.executable} -m feedback_lens.stages.train --training_set {training_set} "
        f"--base_model {base} --recipe neg_scratch --seed 3 --checkpoint out --card card.json {options}".split(),
        cwd=workspace,
        env={
            **os.environ,
            "DVC_ROOT": str(workspace),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(__file__).parents[1] / "src"),
            **(environment or {}),
        },
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def wait_for_step(process: subprocess.Popen[str], root: Path, step: int) -> Path:
    """Wait until the working checkpoint of a step is whole; the run's folder."""
    pattern = f".feedback-lens/runs/*/checkpoint-{step}/trainer_state.json"
    while not (found := list(root.glob(pattern))):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    return found[0].parents[1]


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process that is to end well; what it said."""
    _, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    return errors


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of each file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
