"""What is kept of a trained model: whole weights of a precision, or a LoRA adapter alone."""

import json
import shutil
from pathlib import Path

from feedback_lens.calls.models import load_causal_model
from feedback_lens.errors import InputError

# bytes in them change from run to run, or they say nothing of the model
_LEFT_OUT = ("training_args.bin", "README.md")
_ADAPTER = "adapter_config.json"
_MODEL = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")


def keep_model(saved: Path, keep: str, folder: Path) -> None:
    """Fill `folder` with what is kept of the model that a trainer saved.

    Args:
        saved: folder of a float32 model or of a LoRA adapter; it is used up.
        keep: `float32` or `bfloat16`, whole weights, an adapter merged into its base; `adapter`.
        folder: an empty folder.

    Raises:
        InputError: the trainer left shards of the weights instead of the weights.
    """
    if not any(saved.glob("*.safetensors")):
        raise InputError(
            "the weights were left in shards; set fsdp_state_dict_type: FULL_STATE_DICT in the "
            "launcher's configuration"
        )
    for name in _LEFT_OUT:
        (saved / name).unlink(missing_ok=True)
    is_adapter = (saved / _ADAPTER).is_file()
    if keep == "adapter":
        _sort_lists(saved / _ADAPTER)
    elif keep == "bfloat16" or is_adapter:
        _write_whole(saved, keep, folder)
    for path in saved.iterdir():
        shutil.move(path, folder / path.name)


def _write_whole(saved: Path, keep: str, folder: Path) -> None:
    """Write the whole weights; what is left in `saved` is the tokenizer."""
    import torch

    # merged in float32 and rounded once
    model = load_causal_model(saved, torch.float32).to(getattr(torch, keep))
    model.save_pretrained(folder)
    for pattern in (*_MODEL, _ADAPTER):
        for path in saved.glob(pattern):
            path.unlink()


def _sort_lists(config: Path) -> None:
    """Write a configuration whose sets came out in an arbitrary order in a fixed one."""
    content = json.loads(config.read_text(encoding="utf-8"))
    fixed = {k: sorted(v) if isinstance(v, list) else v for k, v in content.items()}
    config.write_text(json.dumps(fixed, indent=2, sort_keys=True) + "\n", encoding="utf-8")
