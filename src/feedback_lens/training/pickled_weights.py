"""Weights in PyTorch's pickled files, written anew as safetensors."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError


def convert_pickled_weights(folder: Path, source: str) -> None:
    """Replace the pytorch_model*.bin of a folder by safetensors of the same tensors.

    One file is in memory at a time. The files are read as weights alone: no code in them runs.

    Args:
        folder: where they lie.
        source: what they came from, for messages.

    Raises:
        InputError: a file cannot be read as weights.
    """
    for path in sorted(folder.glob("pytorch_model*.bin")):
        _convert(path, folder / _rename(path.name), f"{source}: {path.name}")
        path.unlink()
    index = folder / "pytorch_model.bin.index.json"
    if index.exists():
        content = json.loads(index.read_text(encoding="utf-8"))
        files = {name: _rename(file) for name, file in content["weight_map"].items()}
        text = json.dumps({**content, "weight_map": files}, indent=2) + "\n"
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
        index.unlink()


def _rename(name: str) -> str:
    return name.replace("pytorch_model", "model", 1).replace(".bin", ".safetensors", 1)


def _convert(source: Path, target: Path, where: str) -> None:
    from safetensors.torch import save_file

    weights = _load(source, where)
    # two names of one tensor become two tensors: safetensors holds no shared memory
    save_file({k: v.clone().contiguous() for k, v in weights.items()}, target, {"format": "pt"})


def _load(path: Path, where: str) -> dict[str, Any]:
    import torch

    try:
        # files from before PyTorch 1.6 are no zip files and are read into memory whole
        mapped = zipfile.is_zipfile(path)
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{where} cannot be read as weights alone ({reason}); fetch it anew, or take a source "
            "with safetensors"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise InputError(f"{where} holds more than named weights; take a source with safetensors")
    return found
