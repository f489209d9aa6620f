"""The local detector: sentence embeddings of a user turn and the one before, a linear head."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from feedback_lens.errors import InputError
from feedback_lens.feedback.embedding import embed
from feedback_lens.logs.conversation import Conversation
from feedback_lens.tables import read_json, replaced, write_json

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Detector:
    """Linear heads over turn features: one for each fold, and one fitted on all gold.

    `coefficients` has shape `(folds + 1, classes, features)`, `intercepts` `(folds + 1, classes)`;
    the last is the head of all gold. `fold_of` tells the fold of each gold conversation, so that
    a conversation of the gold set is labeled by the head that did not see it.
    """

    classes: tuple[str, ...]
    coefficients: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]
    fold_of: Mapping[str, int]

    def label(self, conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
        """Rows of the labels table for every user turn after the first; `confidence` in 0..1."""
        features, keys = build_features(conversations)
        rows = []
        for vector, (identifier, turn) in zip(features, keys, strict=True):
            probabilities = self._probabilities(vector, self.fold_of.get(identifier, -1))
            best = int(probabilities.argmax())
            rows.append(
                {
                    "conversation_id": identifier,
                    "turn": turn,
                    "label": self.classes[best],
                    "confidence": round(float(probabilities[best]), 4),
                    "outcome": "answered",
                }
            )
        return rows

    def _probabilities(self, vector: Vectors, head: int) -> npt.NDArray[np.float64]:
        logits = self.coefficients[head] @ vector + self.intercepts[head]
        exponentials = np.exp(logits - logits.max())
        shares: npt.NDArray[np.float64] = exponentials / exponentials.sum()
        return shares


def build_features(conversations: Sequence[Conversation]) -> tuple[Vectors, list[tuple[str, int]]]:
    """Features of every user turn after the first, shape `(turns, 1153)`, and their keys.

    The embeddings of u_i and u_(i-1), their element-wise product and their cosine: a rephrased
    request is close to the one before it.
    """
    texts = [turn for conversation in conversations for turn in conversation.user_turns]
    vectors = embed(texts, "embed turns")
    keys: list[tuple[str, int]] = []
    positions: list[int] = []
    start = 0
    for conversation in conversations:
        count = len(conversation.user_turns)
        keys += [(conversation.conversation_id, turn) for turn in range(2, count + 1)]
        positions += range(start + 1, start + count)
        start += count
    this, previous = vectors[positions], vectors[[position - 1 for position in positions]]
    product = this * previous
    return np.hstack([this, previous, product, product.sum(1, keepdims=True)]), keys


def fit_detector(
    conversations: Sequence[Conversation],
    gold: Mapping[tuple[str, int], str],
    folds: int,
    regularization: float,
) -> Detector:
    """Fit the heads on gold labels; turns without gold are left out.

    Folds are told by a hash of the first user turn, so that neither a conversation nor another
    that begins alike stands on both sides.

    Raises:
        InputError: fewer than two classes of labels, or fewer conversations than folds, or gold
            for turns of no conversation.
    """
    check_gold(conversations, gold)
    features, keys = build_features(conversations)
    known = [index for index, key in enumerate(keys) if key in gold]
    features, keys = features[known], [keys[index] for index in known]
    labels = np.array([gold[key] for key in keys])
    annotated = {identifier for identifier, _ in keys}
    fold_of = {
        conversation.conversation_id: assign_fold(conversation.user_turns[0], folds)
        for conversation in conversations
        if conversation.conversation_id in annotated
    }
    if len(set(labels)) < 2 or len(set(fold_of.values())) < folds:
        raise InputError(
            f"fit_detector: {len(fold_of)} gold conversations with labels {sorted(set(labels))} "
            f"do not fill {folds} folds of two classes; annotate more or lower fit_detector.folds"
        )
    classes = tuple(sorted(set(labels)))
    turn_folds = np.array([fold_of[identifier] for identifier, _ in keys])
    heads = [
        _fit_head(features[turn_folds != fold], labels[turn_folds != fold], classes, regularization)
        for fold in range(folds + 1)  # no turn has the last number: that head sees all gold
    ]
    return Detector(
        classes, np.stack([w for w, _ in heads]), np.stack([b for _, b in heads]), fold_of
    )


def check_gold(conversations: Sequence[Conversation], gold: Mapping[tuple[str, int], str]) -> None:
    """Raise InputError where a gold label belongs to no user turn of the conversations."""
    turns = {c.conversation_id: len(c.user_turns) for c in conversations}
    unknown = [key for key in gold if key[1] > turns.get(key[0], 0)]
    if unknown:
        identifier, turn = unknown[0]
        raise InputError(
            f"fit_detector: {len(unknown)} gold labels belong to no turn of the sample logs "
            f"(first: conversation {identifier!r}, turn {turn}); put their log into data/sample as "
            "<format>.jsonl, or take their file out of data/gold"
        )


def _fit_head(
    features: Vectors, labels: npt.NDArray[Any], classes: tuple[str, ...], regularization: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((len(classes), features.shape[1]))
    # a class that this fold has not seen is never chosen
    biases = np.full(len(classes), -1e9)
    seen = [classes.index(name) for name in sorted(set(labels))]
    biases[seen] = 0.0
    if len(seen) > 1:
        model = LogisticRegression(C=regularization, class_weight="balanced", max_iter=2000)
        model.fit(features, labels)
        # of two classes there is one row of weights, that of the second
        rows = seen[-len(model.coef_) :]
        weights[rows], biases[rows] = model.coef_, model.intercept_
    return weights, biases


def assign_fold(first_turn: str, folds: int) -> int:
    """The fold of a conversation, 0 to folds - 1, by a hash of its first user turn."""
    return int(hashlib.sha256(first_turn.strip().encode()).hexdigest(), 16) % folds


def save_detector(detector: Detector, folder: Path) -> None:
    """Write the heads (`heads.npz`) and their classes and folds (`detector.json`)."""
    folder.mkdir(parents=True, exist_ok=True)
    with replaced(folder / "heads.npz") as temporary, temporary.open("wb") as file:
        np.savez(file, coefficients=detector.coefficients, intercepts=detector.intercepts)
    content = {"classes": ",".join(detector.classes), "fold_of": dict(detector.fold_of)}
    write_json(content, folder / "detector.json")


def load_detector(folder: Path) -> Detector:
    """Read a detector that `save_detector` wrote.

    Raises:
        InputError: the folder holds none.
    """
    content = read_json(folder / "detector.json")
    try:
        with np.load(folder / "heads.npz") as heads:
            return Detector(
                tuple(content["classes"].split(",")),
                heads["coefficients"],
                heads["intercepts"],
                content["fold_of"],
            )
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(
            f"{folder}: no whole detector ({error}); run `dvc repro fit_detector`"
        ) from None
