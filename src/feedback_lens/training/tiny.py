"""The tiny base model of the sample: it stands in where no language model can be downloaded."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from feedback_lens.calls.models import configure_libraries
from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Conversation
from feedback_lens.training.checkpoints import name_versions, write_model
from feedback_lens.training.partition import choose_held_out
from feedback_lens.training.tiny_tokenizer import train_tokenizer

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class BaseSettings:
    """Shape of the tiny model and of its training; `batch` in rows of `context` tokens."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    context: int
    steps: int
    batch: int
    learning_rate: float
    seed: int


def train_base(
    conversations: Sequence[Conversation], name: str, settings: BaseSettings, folder: Path
) -> dict[str, Any]:
    """Train tokenizer and model on the text of conversations, write their folder, return the card.

    The card tells the bits per character on a held-out tenth of the conversations, before and
    after. Same settings, CPU and number of threads: same bytes.

    Raises:
        InputError: the conversations are too few to fill one row of `context` tokens.
    """
    configure_libraries()
    apart = choose_held_out((c.conversation_id for c in conversations), HELD_OUT_SHARE)
    train = [c for c in conversations if c.conversation_id not in apart]
    held_out = [c for c in conversations if c.conversation_id in apart]
    tokenizer = train_tokenizer(
        [m.content for c in train for m in c.messages], settings.vocabulary, settings.context
    )
    texts, held_out_texts = _render(train, tokenizer), _render(held_out, tokenizer)
    tokens, held_out_tokens = _encode(texts, tokenizer), _encode(held_out_texts, tokenizer)
    if len(tokens) <= settings.context:
        raise InputError(
            f"{len(train)} conversations give {len(tokens)} tokens, fewer than the context of "
            f"{settings.context}; give more conversations or lower context"
        )
    model = build_model(tokenizer, settings)
    characters = sum(len(text) for text in held_out_texts)
    before = _measure_bits(model, held_out_tokens, settings) / max(characters, 1)
    _fit(model, tokens, settings)
    after = _measure_bits(model, held_out_tokens, settings) / max(characters, 1)
    card = {
        "name": name,
        "conversations": {"train": len(train), "held_out": len(held_out)},
        "tokens": {"train": len(tokens), "held_out": len(held_out_tokens)},
        "bits_per_character": {"before": before, "after": after},
        "weights": model.num_parameters(),
        "parameters": asdict(settings),
        "versions": name_versions(),
    }
    write_model(model, tokenizer, card, folder)
    return card


def build_model(tokenizer: Any, settings: BaseSettings) -> Any:
    """An untrained Llama of the settings' shape with tied embeddings, drawn by the seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=3 * settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=settings.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return LlamaForCausalLM(config)


def _render(conversations: Sequence[Conversation], tokenizer: Any) -> list[str]:
    chats = [[vars(message) for message in c.messages] for c in conversations]
    return [tokenizer.apply_chat_template(chat, tokenize=False) + "\n" for chat in chats]


def _encode(texts: Sequence[str], tokenizer: Any) -> list[int]:
    encoded = tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
    return [token for tokens in encoded for token in tokens]


def _fit(model: Any, tokens: Sequence[int], settings: BaseSettings) -> None:
    import torch

    stream = torch.tensor(tokens)
    draw = torch.Generator().manual_seed(settings.seed)
    optimizers = _make_optimizers(model, settings.learning_rate)
    model.train()
    with tqdm(_schedule(settings.steps), "train_base", settings.steps, unit="step") as progress:
        for factor in progress:
            starts = torch.randint(
                len(stream) - settings.context, (settings.batch,), generator=draw
            ).tolist()
            rows = torch.stack([stream[start : start + settings.context] for start in starts])
            loss = model(input_ids=rows, labels=rows).loss
            loss.backward()
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = settings.learning_rate * factor
                optimizer.step()
                optimizer.zero_grad()
            progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.eval()


def _schedule(steps: int) -> Iterator[float]:
    """The share of the learning rate at each step: up over the first twentieth, then down to 0."""
    warmup = max(steps // 20, 1)
    return (min((step + 1) / warmup, 1 - step / steps) for step in range(steps))


def _make_optimizers(model: Any, learning_rate: float) -> list[Any]:
    """Muon for the hidden matrices and AdamW for embeddings and norms.

    AdamW alone repeats single words at this size and number of steps.
    """
    import torch

    embeddings = model.get_input_embeddings().weight
    hidden = [p for p in model.parameters() if p.ndim == 2 and p is not embeddings]
    others = [p for p in model.parameters() if p.ndim < 2 or p is embeddings]
    return [
        torch.optim.Muon(
            hidden, lr=learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=learning_rate, weight_decay=0.0, betas=(0.9, 0.95)),
    ]


def _measure_bits(model: Any, tokens: Sequence[int], settings: BaseSettings) -> float:
    """Bits that the model needs for the tokens, read in rows of `context` tokens."""
    import torch

    nats = 0.0
    with torch.inference_mode():
        for start in range(0, len(tokens) - 1, settings.context):
            row = torch.tensor([tokens[start : start + settings.context + 1]])
            logits = model(input_ids=row[:, :-1]).logits[0]
            nats += torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="sum").item()
    return nats / math.log(2)
