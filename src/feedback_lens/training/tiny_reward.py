"""The tiny reward model of the sample: it stands in where no reward model can be downloaded."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from feedback_lens.calls.models import check_length, load_tokenizer, pad_right
from feedback_lens.errors import InputError
from feedback_lens.tables import write_json
from feedback_lens.training.checkpoints import CARD, name_versions, replaced_folder, write_model
from feedback_lens.training.reward import FOLDS, as_chat, encode_chat
from feedback_lens.training.reward_evidence import summarize_held_out

EncodedPair = tuple[list[int], list[int]]


@dataclass(frozen=True)
class RewardSettings:
    """How the reward model learns; `batch` in pairs, `max_length` in tokens a chat.

    `folds` of conversations: each is scored by a model that was trained on the others.
    """

    epochs: int
    batch: int
    learning_rate: float
    max_length: int
    folds: int
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

    The folder holds the model trained on all pairs and, under `folds/<i>/`, one that saw no pair
    of the conversations of fold i (`folds` of the card: conversation -> fold). The latter tell how
    well the training does on conversations it did not see: see `summarize_held_out`.

    Raises:
        InputError: no fold leaves a pair to train on, or max_length is over the base's context.
    """
    tokenizer = load_tokenizer(base_model)
    encoded = [_encode(pair, tokenizer, settings.max_length) for pair in pairs]
    folds = [choose_fold(pair.conversation_id, settings.folds) for pair in pairs]
    _check_folds(folds)
    untrained = _load(base_model, tokenizer, settings)
    before = [_is_right(untrained, pair) for pair in encoded]
    unseen = [False] * len(pairs)
    card: dict[str, Any] = {"parameters": asdict(settings), "versions": name_versions()}
    with replaced_folder(folder) as temporary:
        for fold in sorted(set(folds)):
            seen = [pair for pair, of in zip(encoded, folds, strict=True) if of != fold]
            model = _fit(_load(base_model, tokenizer, settings), seen, settings)
            for index in (i for i, of in enumerate(folds) if of == fold):
                unseen[index] = _is_right(model, encoded[index])
            write_model(model, tokenizer, card | {"fold": fold}, temporary / FOLDS / str(fold))
        model = _fit(_load(base_model, tokenizer, settings), encoded, settings)
        ids = [pair.conversation_id for pair in pairs]
        card |= summarize_held_out(ids, before, unseen)
        card["train_accuracy"] = sum(_is_right(model, pair) for pair in encoded) / len(pairs)
        card[FOLDS] = dict(zip(ids, folds, strict=True))
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_json(card, temporary / CARD)
    return card


def choose_fold(conversation_id: str, folds: int) -> int:
    """The fold of a conversation, by a hash of its id: more conversations move none."""
    return int(hashlib.sha256(f"fold {conversation_id}".encode()).hexdigest(), 16) % folds


def _check_folds(folds: Sequence[int]) -> None:
    if len(set(folds)) < 2:
        raise InputError(
            f"train_reward: {len(folds)} pairs of {len(set(folds))} folds leave none to train on; "
            "more conversations with answered regenerations of the neg split are wanted, or more "
            "folds"
        )


def _encode(pair: Pair, tokenizer: Any, max_length: int) -> EncodedPair:
    return (
        encode_chat(as_chat(pair.prompt, pair.chosen), tokenizer, max_length),
        encode_chat(as_chat(pair.prompt, pair.rejected), tokenizer, max_length),
    )


def _load(base_model: Path, tokenizer: Any, settings: RewardSettings) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # the score's weights are new
        model = AutoModelForSequenceClassification.from_pretrained(
            base_model, num_labels=1, dtype=torch.float32
        )
    check_length(settings.max_length, model.config, base_model)
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model


def _fit(model: Any, pairs: Sequence[EncodedPair], settings: RewardSettings) -> Any:
    """The model, trained."""
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
    return model.eval()


def _margins(model: Any, batch: Sequence[EncodedPair]) -> Any:
    """Score of the chosen minus score of the rejected reply, `(batch,)`."""
    rows = [chosen for chosen, _ in batch] + [rejected for _, rejected in batch]
    pad = model.config.get_text_config().pad_token_id
    scores = model(**pad_right(rows, pad)).logits[:, 0]
    return scores[: len(batch)] - scores[len(batch) :]


def _is_right(model: Any, pair: EncodedPair) -> bool:
    """Whether the chosen reply scores higher."""
    import torch

    with torch.inference_mode():
        return bool(_margins(model, [pair]).item() > 0)
