"""Folders of transformers models: their name, loading, and batches of rows of like length."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError

# what decides a model's output; cards, training state and the like do not
_DECISIVE = (
    "config.json",
    "adapter_config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
)


def configure_libraries() -> None:
    """Keep transformers and TRL off the network and quiet; to be called before they are imported.

    What the environment says already stays.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # the bar over a model's weights, gone before it can be read
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def hash_model(folder: Path) -> str:
    """SHA-256 over the names and bytes of the files that decide the model's output, 64 digits.

    Those of an adapter's base are among them.

    Raises:
        InputError: the folder holds no model, or an adapter whose base is missing.
    """
    files = {path for pattern in _DECISIVE for path in folder.glob(pattern) if path.is_file()}
    base = find_base(folder)
    if base is None and folder / "config.json" not in files:
        raise InputError(f"{folder}: no model (config.json is missing); `dvc repro` makes it")
    digest = hashlib.sha256(hash_model(base).encode() if base else b"")
    for path in sorted(files):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()


def name_local_model(folder: Path) -> str:
    """`local:<folder's name>@<16 hex digits of its content>`: other weights have another name.

    Raises:
        InputError: the folder holds no model.
    """
    return f"local:{folder.name}@{hash_model(folder)[:16]}"


def find_base(folder: Path) -> Path | None:
    """The folder of the base that a LoRA adapter belongs to; null where `folder` holds no adapter.

    The adapter names it as it was trained: relative to the project's root.

    Raises:
        InputError: the base is not there, or is an adapter itself.
    """
    config = folder / "adapter_config.json"
    if not config.is_file():
        return None
    base = Path(json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"])
    if not (base / "config.json").is_file() or (base / config.name).is_file():
        raise InputError(
            f"{config}: base_model_name_or_path {str(base)!r} is no whole model in "
            f"{Path.cwd()}; run from the project's root, with the base there (`dvc pull`)"
        )
    return base


def read_end_tokens(folder: Path) -> int | list[int] | None:
    """The tokens that end a reply, of generation_config.json, or of config.json without that file.

    Those of an adapter are its base's; null where the file names none.

    Raises:
        InputError: as `find_base`.
    """
    whole = find_base(folder) or folder
    path = whole / "generation_config.json"
    path = path if path.is_file() else whole / "config.json"
    ends: int | list[int] | None = json.loads(path.read_text("utf-8")).get("eos_token_id")
    return ends


def load_causal_model(folder: Path, dtype: Any, decoding: Any = None) -> Any:
    """The language model of a folder; an adapter comes merged into its base.

    `decoding`, a `GenerationConfig`, stands in for the folder's own, which then is not even read.

    Raises:
        InputError: as `find_base`.
    """
    configure_libraries()
    from transformers import AutoModelForCausalLM

    base = find_base(folder)
    model = AutoModelForCausalLM.from_pretrained(
        base or folder, dtype=dtype, generation_config=decoding
    )
    if base is None:
        return model
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder).merge_and_unload()


def load_tokenizer(folder: Path) -> Any:
    """The model's tokenizer, with a pad token (the end-of-sequence token where it names none).

    Raises:
        InputError: the tokenizer has no chat template.
    """
    configure_libraries()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None:
        raise InputError(
            f"{folder}: the tokenizer has no chat template; put its chat_template.jinja there"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def choose_device() -> str:
    """`cuda` where there is one, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def context_of(config: Any) -> int:
    """The most tokens that the model of this configuration can see at once."""
    return int(config.get_text_config().max_position_embeddings)


def check_length(max_length: int, config: Any, folder: Path) -> None:
    """Refuse rows longer than the model was made for, on which it would run and fail silently.

    Raises:
        InputError: `max_length` is over the model's context.
    """
    if max_length > context_of(config):
        raise InputError(
            f"{folder}: max_length {max_length} is over the model's context of "
            f"{context_of(config)} tokens; lower max_length"
        )


def read_batch_size() -> int:
    """Rows a batch, from FEEDBACK_LENS_BATCH (16 where it is not set).

    Raises:
        InputError: it is not a positive whole number.
    """
    value = os.environ.get("FEEDBACK_LENS_BATCH", "16")
    if not value.isdecimal() or int(value) < 1:
        raise InputError(f"FEEDBACK_LENS_BATCH={value!r}: set it to a whole number of 1 or more")
    return int(value)


def batch_by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Indices of all rows in batches of at most `size` with like lengths, the longest first.

    The longest go first so that a batch too large for the memory fails at once, not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    return [order[start : start + size] for start in range(0, len(order), size)]


def pad_right(rows: Sequence[list[int]], pad: int) -> dict[str, Any]:
    """`input_ids` and `attention_mask`, both `(batch, longest row)`."""
    import torch

    width = max(len(row) for row in rows)
    return {
        "input_ids": torch.tensor([row + [pad] * (width - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows]),
    }
