"""Folders of trained models: written whole or not at all; resumed from when a run was killed."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from feedback_lens.tables import write_json

CARD = "card.json"
BEFORE = "before.json"  # of a run: what was measured before its first step
FINAL = "final"  # a finished model in its run's folder, written whole or not at all
# transformers trains on in silence without an optimizer, a scheduler or the generators' state
_PARTS = ("optimizer*", "scheduler.pt", "rng_state*.pth")
_WEIGHTS = ("*.safetensors", "pytorch_model_fsdp*")
_LIBRARIES = ("accelerate", "tokenizers", "torch", "transformers", "trl")


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder that takes the place of `folder` when the block ends without an error.

    A folder that a killed run left half written is emptied first.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def write_model(model: Any, tokenizer: Any, card: Mapping[str, Any], folder: Path) -> None:
    """Write a transformers model, its tokenizer and its card as one whole folder."""
    with replaced_folder(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_json(card, temporary / CARD)


def name_versions(*further: str) -> dict[str, str]:
    """The libraries that decide the weights, and further ones, with their versions."""
    return {library: version(library) for library in sorted((*_LIBRARIES, *further))}


def choose_run_folder(identity: Mapping[str, Any]) -> Path:
    """The folder of working checkpoints of the run that `identity` (as JSON) tells apart.

    It lies beside the response store, outside DVC's outs (which DVC deletes before a run), in the
    main checkout, which DVC_ROOT names in repro, exp run, --temp and --queue alike.
    """
    content = json.dumps(identity, sort_keys=True)
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    return Path(os.environ.get("DVC_ROOT", ".")) / ".feedback-lens" / "runs" / name


def find_whole_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint of a run that was written to its end, or null.

    transformers writes trainer_state.json last, so a checkpoint in which it names the folder's
    own step was whole; one that lacks a part was half deleted since. Both are passed over. A run
    that lacks what was measured before its first step begins anew.
    """
    if not (run / BEFORE).is_file():
        return None
    found = [path for path in run.glob("checkpoint-*") if _is_whole(path)]
    return max(found, key=_step, default=None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        if state["global_step"] != _step(checkpoint) or find_missing_shards(checkpoint):
            return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    has_weights = any(any(checkpoint.glob(name)) for name in _WEIGHTS)
    return has_weights and all(any(checkpoint.glob(name)) for name in _PARTS)


def find_missing_shards(folder: Path) -> list[str]:
    """The files that an index of weights in the folder names and the folder lacks.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: an index is none.
    """
    missing: set[str] = set()
    for index in folder.glob("*.index.json"):
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        missing.update(name for name in named if not (folder / name).is_file())
    return sorted(missing)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def publish(final: Path, checkpoint: Path, to_be_kept: bool) -> None:
    """Put a finished model in its place: whole, and apart from `final` where that is kept."""
    place = shutil.copy2 if to_be_kept else _link
    with replaced_folder(checkpoint) as temporary:
        for path in final.iterdir():
            place(path, temporary / path.name)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


def drop_run(run: Path) -> None:
    """Remove a run's folder; whatever is cut short, the run is there whole or not at all."""
    if run.is_dir():
        dropped = _dropped(run)
        dropped.mkdir(exist_ok=True)
        run.rename(tempfile.mkdtemp(prefix=f"{run.name}.", dir=dropped))
    sweep_dropped(run)


def sweep_dropped(run: Path) -> None:
    """Remove what is left of dropped runs, of this one or others, whose removal was cut short."""
    for left in _dropped(run).glob("*"):
        shutil.rmtree(left, ignore_errors=True)


def _dropped(run: Path) -> Path:
    return run.parent.parent / "dropped"


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
