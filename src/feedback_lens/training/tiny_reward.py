"""The tiny reward model of the sample: it stands in where no reward model can be downloaded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from feedback_lens.calls.models import check_length, load_tokenizer, pad_right
from feedback_lens.errors import InputError
from feedback_lens.training.checkpoints import name_versions, write_model
from feedback_lens.training.partition import choose_held_out
from feedback_lens.training.reward import as_chat, encode_chat

EncodedPair = tuple[list[int], list[int]]


@dataclass(frozen=True)
class RewardSettings:
    """How the reward model learns; `batch` in pairs, `max_length` in tokens a chat."""

    epochs: int
    batch: int
    learning_rate: float
    max_length: int
    held_out_share: float
    seed: int


@dataclass(frozen=True)
class Pair:
    """Two replies to one prompt, the chosen thought better than the rejected."""

    conversation_id: str
    prompt: str
    chosen: str
    rejected: str


def pair_replies(
    rows: Iterable[Mapping[str, Any]], replies: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Iterator[Pair]:
    """A pair for each answered regeneration of a `neg` sub-conversation: it over the weak reply.

    Args:
        rows: rows of `SPLITS`.
        replies: rows of `REPLIES` for each regeneration; those of other splits are not used.
    """
    weak = {(r["conversation_id"], r["turn"]): r for r in rows if r["split"] == "neg"}
    for name in sorted(name for name in replies if name.startswith("neg_")):
        for reply in replies[name]:
            row = weak.get((reply["conversation_id"], reply["turn"]))
            if row is not None and reply["outcome"] == "answered":
                yield Pair(row["conversation_id"], row["prompt"], reply["reply"], row["reply"])


def train_reward(
    pairs: Sequence[Pair], base_model: Path, settings: RewardSettings, folder: Path
) -> dict[str, Any]:
    """Train a reward model from a base by the Bradley-Terry loss, write it and return its card.

    Pairs of one conversation are all trained on or all held out; the card tells the accuracy on
    those held out, that is the share of pairs whose chosen reply scores higher.

    Raises:
        InputError: there is no pair to train on, or max_length is over the base's context.
    """
    tokenizer = load_tokenizer(base_model)
    sides: dict[bool, list[EncodedPair]] = {True: [], False: []}
    held_out = choose_held_out((p.conversation_id for p in pairs), settings.held_out_share)
    for pair in pairs:
        sides[pair.conversation_id in held_out].append(
            _encode(pair, tokenizer, settings.max_length)
        )
    if not sides[False]:
        raise InputError(
            f"train_reward: none of {len(pairs)} pairs is left to train on; more answered "
            "regenerations of the neg split are wanted, or a smaller held_out_share"
        )
    model = _load(base_model, tokenizer, settings.seed)
    check_length(settings.max_length, model.config, base_model)
    before = _measure_accuracy(model, sides[True])
    _fit(model, sides[False], settings)
    card = {
        "pairs": {"train": len(sides[False]), "held_out": len(sides[True])},
        "held_out_accuracy": {"before": before, "after": _measure_accuracy(model, sides[True])},
        "train_accuracy": _measure_accuracy(model, sides[False]),
        "parameters": asdict(settings),
        "versions": name_versions(),
    }
    write_model(model, tokenizer, card, folder)
    return card


def _encode(pair: Pair, tokenizer: Any, max_length: int) -> EncodedPair:
    return (
        encode_chat(as_chat(pair.prompt, pair.chosen), tokenizer, max_length),
        encode_chat(as_chat(pair.prompt, pair.rejected), tokenizer, max_length),
    )


def _load(base_model: Path, tokenizer: Any, seed: int) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the score's weights are new
        model = AutoModelForSequenceClassification.from_pretrained(
            base_model, num_labels=1, dtype=torch.float32
        )
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model


def _fit(model: Any, pairs: Sequence[EncodedPair], settings: RewardSettings) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    draw = torch.Generator().manual_seed(settings.seed)
    model.train()
    for _ in tqdm(range(settings.epochs), "train_reward", unit="epoch"):
        order = torch.randperm(len(pairs), generator=draw).tolist()
        for start in range(0, len(order), settings.batch):
            batch = [pairs[index] for index in order[start : start + settings.batch]]
            loss: Any = -torch.nn.functional.logsigmoid(_margins(model, batch)).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    model.eval()


def _margins(model: Any, batch: Sequence[EncodedPair]) -> Any:
    """Score of the chosen minus score of the rejected reply, `(batch,)`."""
    rows = [chosen for chosen, _ in batch] + [rejected for _, rejected in batch]
    pad = model.config.get_text_config().pad_token_id
    scores = model(**pad_right(rows, pad)).logits[:, 0]
    return scores[: len(batch)] - scores[len(batch) :]


def _measure_accuracy(model: Any, pairs: Sequence[EncodedPair]) -> float | None:
    """Share of pairs whose chosen reply scores higher; null without pairs."""
    import torch

    if not pairs:
        return None
    with torch.inference_mode():
        right = sum(bool(_margins(model, [pair]).item() > 0) for pair in pairs)
    return right / len(pairs)
