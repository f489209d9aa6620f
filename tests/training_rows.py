"""Rows of a training set and settings that train on them in a second."""

from typing import Any

from feedback_lens.training.trainers import TrainSettings

SETTINGS = TrainSettings(
    epochs=2,
    batch=4,
    gradient_accumulation=1,
    learning_rate=0.003,
    kto_learning_rate=0.003,
    beta=0.1,
    warmup_share=0.1,
    max_length=64,
    save_every=4,
    lora_rank=0,
    lora_alpha=16,
    lora_dropout=0,
    keep="float32",
)


def make_rows(count: int, desirable: int | None = None) -> list[dict[str, Any]]:
    """Rows of which every fifth is held out; with `desirable`, the first so many are desirable."""
    good = [desirable is None or n < desirable for n in range(count)]
    return [
        {
            "conversation_id": f"c{n}",
            "turn": 1,
            "prompt": [{"role": "user", "content": f"Say {n}\nplease"}],
            "completion": [
                {"role": "assistant", "content": f"Of course: {n}, {n}." if good[n] else "Why? No."}
            ],
            "desirable": None if desirable is None else good[n],
            "held_out": n % 5 == 4,
        }
        for n in range(count)
    ]
