"""Weights in PyTorch's pickled files, written anew as safetensors."""

import json
from pathlib import Path


def convert_pickled_weights(folder: Path) -> None:
    """Replace the pytorch_model*.bin of a folder by safetensors of the same tensors.

    One file is in memory at a time. The files are read as weights alone: no code in them runs.
    """
    for path in sorted(folder.glob("pytorch_model*.bin")):
        _convert(path, folder / _rename(path.name))
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


def _convert(source: Path, target: Path) -> None:
    import torch
    from safetensors.torch import save_file

    weights = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
    # two names of one tensor become two tensors: safetensors holds no shared memory
    save_file({k: v.clone().contiguous() for k, v in weights.items()}, target, {"format": "pt"})
