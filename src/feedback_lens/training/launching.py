"""Training in several processes: FEEDBACK_LENS_LAUNCHER starts them, the first one writes."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError

LAUNCHER = "FEEDBACK_LENS_LAUNCHER"
_STARTED = "FEEDBACK_LENS_LAUNCHED"


def is_worker() -> bool:
    """Whether a launcher started this process as one of several.

    Raises:
        InputError: it started this one alone.
    """
    if "LOCAL_RANK" in os.environ:
        return True
    if _STARTED in os.environ:
        raise InputError(
            f"{LAUNCHER}={os.environ.get(LAUNCHER)!r} started one process only, as `accelerate "
            "launch` does on a CPU; use `torchrun --nproc_per_node N` there, or unset it"
        )
    return False


def is_first_process() -> bool:
    """Whether this process is the one that writes."""
    return os.environ.get("RANK", "0") == "0"


def count_processes() -> int:
    """The number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def start_under_launcher() -> None:
    """Become the launcher that FEEDBACK_LENS_LAUNCHER names, which starts this command again.

    Returns where none is named.

    Raises:
        InputError: there is no such command.
    """
    launcher = os.environ.get(LAUNCHER, "")
    words = shlex.split(launcher)
    if not words:
        return
    os.environ[_STARTED] = "1"
    # the launcher of this very environment, also where its folder of commands is not on the path
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        os.execvp(words[0], [*words, *sys.orig_argv[1:]])
    except OSError as error:
        raise InputError(
            f"{LAUNCHER}={launcher!r}: {words[0]!r} cannot be run ({error.strerror})"
        ) from None


@contextmanager
def told_to_launcher() -> Iterator[None]:
    """Hand a worker's InputError to its launcher, so that torchrun's last lines show it.

    Source: PyTorch, torch.distributed.elastic.multiprocessing.errors (the file's form).
    """
    try:
        yield
    except InputError as error:
        if path := os.environ.get("TORCHELASTIC_ERROR_FILE"):
            when = {"timestamp": str(int(time.time()))}
            told = {"message": f"Error: {error.message}", "extraInfo": when}
            Path(path).write_text(json.dumps({"message": told}), encoding="utf-8")
        raise


def check_processes(trainer: Any) -> None:
    """Refuse a run that is not the one that was asked for, of which the libraries say nothing.

    Raises:
        InputError: fewer processes than the launcher started, FSDP that became plain data
            parallelism, or several GPUs in one process, which would make batches larger.
    """
    found, wanted = trainer.accelerator.num_processes, count_processes()
    if found != wanted:
        raise InputError(f"{LAUNCHER}: {found} of {wanted} processes train together; check it")
    sharded = str(trainer.accelerator.distributed_type).endswith("FSDP")
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true" and not sharded:
        raise InputError(f"{LAUNCHER}: FSDP needs GPUs; on a CPU use `torchrun` without it")
    if trainer.args.n_gpu > 1:
        raise InputError(
            f"one process sees {trainer.args.n_gpu} GPUs; set {LAUNCHER} to use them all, or "
            "CUDA_VISIBLE_DEVICES to one of them"
        )
