"""Scores of replies by a reward model, with and without the user's feedback in view.

Source: paper section 6: RM({u_i, a}) and RM({u_i, u_(i+1), a}).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from feedback_lens.calls.models import (
    batch_by_length,
    check_length,
    choose_device,
    load_tokenizer,
    pad_right,
)
from feedback_lens.errors import InputError
from feedback_lens.tables import read_json
from feedback_lens.training.checkpoints import CARD

FOLDS = "folds"  # the folder of the models that did not see a fold
Chat = list[dict[str, str]]

SCORED_SPLITS = ("neg", "rand")
SCORES = pa.schema(
    [
        ("split", pa.string()),
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("candidate", pa.string()),
        ("with_feedback", pa.bool_()),
        ("score", pa.float64()),
    ]
)


def score_replies(
    rows: Iterable[Mapping[str, Any]],
    replies: Mapping[str, Iterable[Mapping[str, Any]]],
    reward_model: Path,
    batch_size: int,
    max_length: int,
) -> list[dict[str, Any]]:
    """Score all candidate replies of the `neg` and `rand` sub-conversations.

    Args:
        rows: rows of `SPLITS`.
        replies: rows of `REPLIES` for each regeneration (`neg_scratch`, ...).
        reward_model: the folder of a sequence classification model with one label. Where its card
            has folds, the scores of a conversation are those of the model of its fold, which did
            not see it in training.
        batch_size: chats scored at once; it does not change a score (of 4 decimals).
        max_length: tokens; a longer chat loses its beginning.

    Returns:
        Rows of `SCORES`, key `(split, conversation_id, turn, candidate, with_feedback)`, in the
        order of `rows`. Candidates: `weak` (m_i), `weak_next` (m_(i+1)), and `scratch` and
        `semantic` where the regeneration was answered.
    """
    regenerated = _index_replies(replies)
    chosen = [row for row in rows if row["split"] in SCORED_SPLITS]
    keyed = [pair for row in chosen for pair in _list_chats(row, regenerated)]
    ids = [key["conversation_id"] for key, _ in keyed]
    scores = [0.0] * len(keyed)
    for folder, members in group_by_model(reward_model, ids).items():
        found = score_pairs(folder, [keyed[i][1] for i in members], batch_size, max_length)
        for index, score in zip(members, found, strict=True):
            scores[index] = score
    # float32 sums differ in the last digits with the batch; what is kept does not
    return [{**key, "score": round(s, 4)} for (key, _), s in zip(keyed, scores, strict=True)]


def group_by_model(reward_model: Path, conversation_ids: Sequence[str]) -> dict[Path, list[int]]:
    """The indices of the conversations that each model scores: one of the folds, or the model.

    All candidates of a conversation are scored by one model, so that they can be compared.
    """
    card = reward_model / CARD
    folds = read_json(card).get("folds", {}) if card.exists() else {}
    groups: dict[Path, list[int]] = {}
    for index, conversation_id in enumerate(conversation_ids):
        fold = folds.get(conversation_id)
        folder = reward_model if fold is None else reward_model / FOLDS / str(fold)
        groups.setdefault(folder, []).append(index)
    return groups


def score_pairs(
    folder: Path, chats: Sequence[Chat], batch_size: int, max_length: int
) -> list[float]:
    """The raw logit of a reward model for each chat (user's message and reply), in their order.

    float32 on a CPU, bfloat16 on a GPU; batches of like length. A chat over `max_length` tokens
    loses its beginning, so that the reply and its end stay in view.

    Raises:
        InputError: the folder holds no reward model with one score and a chat template, or
            `max_length` is over its context.
    """
    import torch

    tokenizer = load_tokenizer(folder)
    encoded = [encode_chat(chat, tokenizer, max_length) for chat in chats]
    model = _load(folder)
    check_length(max_length, model.config, folder)
    config = model.config.get_text_config()
    scores = [0.0] * len(encoded)
    with torch.inference_mode(), tqdm(total=len(chats), desc="score", unit="reply") as progress:
        for batch in batch_by_length([len(tokens) for tokens in encoded], batch_size):
            rows = [encoded[index] for index in batch]
            config.pad_token_id = choose_padding(rows, config.vocab_size)
            inputs = pad_right(rows, config.pad_token_id)
            logits = model(**{name: part.to(model.device) for name, part in inputs.items()}).logits
            for index, score in zip(batch, logits[:, 0].tolist(), strict=True):
                scores[index] = score
            progress.update(len(batch))
    return scores


def encode_chat(chat: Chat, tokenizer: Any, max_length: int) -> list[int]:
    """The chat's last `max_length` tokens under the model's chat template.

    The template alone writes a beginning-of-sequence token: none is set before it a second time.
    """
    tokens: list[int] = tokenizer.apply_chat_template(chat, return_dict=True)["input_ids"]
    return tokens[-max_length:]


def choose_padding(rows: Sequence[Sequence[int]], vocabulary: int) -> int:
    """A token that stands in no row.

    The model reads its score at the last token that is not padding; where padding and end token
    are the same (as in many reward models) it would read one too early.
    """
    used = {token for row in rows for token in row}
    return next(token for token in range(vocabulary) if token not in used)


def _load(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    device = choose_device()
    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder,
        dtype=torch.bfloat16 if device == "cuda" else torch.float32,
        output_loading_info=True,
    )
    if report["missing_keys"]:
        raise InputError(
            f"{folder}: no reward model: {', '.join(sorted(report['missing_keys']))} would be "
            "drawn at random; set run.reward_model in params.yaml"
        )
    if model.config.num_labels != 1:
        raise InputError(
            f"{folder}: a reward model has one score, this one has {model.config.num_labels}; "
            "set run.reward_model in params.yaml"
        )
    return model.to(device).eval()


def _index_replies(
    replies: Mapping[str, Iterable[Mapping[str, Any]]],
) -> dict[tuple[str, str, int], dict[str, str]]:
    found: dict[tuple[str, str, int], dict[str, str]] = {}
    for name, rows in replies.items():
        split, _, method = name.partition("_")
        for row in rows:
            if row["outcome"] == "answered":
                key = (split, row["conversation_id"], row["turn"])
                found.setdefault(key, {})[method] = row["reply"]
    return found


def _list_chats(
    row: Mapping[str, Any], regenerated: Mapping[tuple[str, str, int], Mapping[str, str]]
) -> Iterator[tuple[dict[str, Any], Chat]]:
    key = (row["split"], row["conversation_id"], row["turn"])
    candidates = {"weak": row["reply"], "weak_next": row["next_reply"], **regenerated.get(key, {})}
    for candidate, reply in candidates.items():
        for with_feedback in (False, True):
            asked = f"{row['prompt']}\n\n{row['feedback']}" if with_feedback else row["prompt"]
            yield (
                dict(zip(SCORES.names, (*key, candidate, with_feedback), strict=False)),
                as_chat(asked, reply),
            )


def as_chat(prompt: str, reply: str) -> Chat:
    """A chat of one user's message and one reply."""
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
