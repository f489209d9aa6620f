"""The local detector: linear heads over features of a user turn and the exchange before it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from feedback_lens.errors import InputError
from feedback_lens.feedback.local.features import FEATURES, STANDARDIZED, Key, build_features
from feedback_lens.feedback.local.folds import NOTHING_CUT, Origins, assign_folds
from feedback_lens.feedback.local.heads import Folds, Heads, fit_heads
from feedback_lens.logs.conversation import Conversation
from feedback_lens.tables import read_json, replaced, write_json

# conversations whose features are in memory at once
_CHUNK = 64
_ARRAYS = ("coefficients", "intercepts", "temperatures")
Gold = Mapping[Key, str]


@dataclass(frozen=True)
class Detector:
    """Heads, and the folds of gold conversations.

    `fold_of` is by the id that detectors see, which is only looked up: a conversation and each
    exchange that a gold set cut out of it are listed by themselves. Those are labeled by the head
    that did not see them; any other by the head of all gold.
    """

    heads: Heads
    fold_of: Mapping[str, int]

    def label(self, conversations: Iterable[Conversation]) -> list[dict[str, Any]]:
        """Rows of `LABELS` for every user turn after the first.

        `confidence` (0 to 1) is the calibrated probability of the label.
        """
        return list(self._label_chunks(conversations))

    def find_heads(self, keys: Sequence[Key]) -> Folds:
        """The head that labels each turn; -1 is that of all gold."""
        return np.array([self.fold_of.get(key[0], -1) for key in keys], dtype=np.int64)

    def _label_chunks(self, conversations: Iterable[Conversation]) -> Iterator[dict[str, Any]]:
        remaining = iter(conversations)
        while chunk := list(islice(remaining, _CHUNK)):
            features, keys = build_features(chunk)
            probabilities = self.heads.probabilities(features, self.find_heads(keys))
            for (identifier, turn), row in zip(keys, probabilities, strict=True):
                best = int(row.argmax())
                yield {
                    "conversation_id": identifier,
                    "turn": turn,
                    "label": self.heads.classes[best],
                    "confidence": round(float(row[best]), 4),
                    "listed": True,
                    "outcome": "answered",
                }


def fit_detector(
    conversations: Sequence[Conversation],
    gold: Gold,
    folds: int,
    regularization: float,
    origins: Origins = NOTHING_CUT,
) -> Detector:
    """Fit and calibrate the heads on gold labels; turns without gold are left out.

    `origins` names the conversation of the log behind each exchange cut out of one, also of those
    that only detectors will see: they get the fold of what they were cut out of.

    Raises:
        InputError: fewer than two classes of labels, or fewer conversations than folds, or gold
            for turns of no conversation.
    """
    check_gold(conversations, gold)
    annotated = {identifier for identifier, _ in gold}
    known = [c for c in conversations if c.conversation_id in annotated]
    fold_of = assign_folds(known, folds, origins)
    if len(set(gold.values())) < 2 or len(set(fold_of.values())) < folds:
        count = len({origins.get(identifier, identifier) for identifier in annotated})
        raise InputError(
            f"fit_detector: {count} gold conversations with labels "
            f"{sorted(set(gold.values()))} do not fill {folds} folds of two classes; "
            "annotate more or lower fit_detector.folds"
        )
    features, keys = build_features(known)
    rows = [row for row, key in enumerate(keys) if key in gold]
    fold_of_row = np.array([fold_of[keys[row][0]] for row in rows], dtype=np.int64)
    labels = [gold[keys[row]] for row in rows]
    heads = fit_heads(features[rows], labels, fold_of_row, folds, regularization, STANDARDIZED)
    unfitted = {cut: fold_of[log] for cut, log in origins.items() if log in fold_of}
    return Detector(heads, unfitted | fold_of)


def check_gold(conversations: Sequence[Conversation], gold: Gold) -> None:
    """Raise InputError where a gold label belongs to no user turn of the conversations."""
    turns = {c.conversation_id: len(c.user_turns) for c in conversations}
    unknown = [key for key in gold if key[1] > turns.get(key[0], 0)]
    if unknown:
        identifier, turn = unknown[0]
        raise InputError(
            f"fit_detector: {len(unknown)} gold labels belong to no turn of the conversations of "
            f"fit_detector.gold_sets (first: conversation {identifier!r}, turn {turn}); mend the "
            "labels of the set or its log, then run `dvc repro read_gold`"
        )


def save_detector(detector: Detector, folder: Path) -> None:
    """Write the heads (`heads.npz`) and their classes and folds (`detector.json`)."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: getattr(detector.heads, name) for name in _ARRAYS}
    with replaced(folder / "heads.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    content = {"classes": list(detector.heads.classes), "fold_of": dict(detector.fold_of)}
    write_json(content, folder / "detector.json")


def load_detector(folder: Path) -> Detector:
    """Read a detector that `save_detector` wrote.

    Raises:
        InputError: the folder holds none, or one of other features.
    """
    content = read_json(folder / "detector.json")
    try:
        with np.load(folder / "heads.npz") as arrays:
            heads = Heads(_read_classes(content), *(arrays[name] for name in _ARRAYS))
        detector = Detector(heads, _read_folds(content, len(heads.temperatures) - 1))
    # TypeError: a single array, which is no archive, or one without a length
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise InputError(
            f"{folder}: no whole detector ({error}); run `dvc repro fit_detector`"
        ) from None
    _check_shapes(heads, folder)
    return detector


def _read_classes(content: Mapping[str, Any]) -> tuple[str, ...]:
    classes = content["classes"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"classes of detector.json: a list of labels is wanted, found {classes!r}")
    return tuple(classes)


def _read_folds(content: Mapping[str, Any], folds: int) -> dict[str, int]:
    fold_of = content["fold_of"]
    if not isinstance(fold_of, dict):
        raise ValueError(f"fold_of of detector.json: an object is wanted, found {fold_of!r}")
    for name, fold in fold_of.items():
        # true and false are integers to Python
        if type(fold) is not int or not 0 <= fold < folds:
            raise ValueError(f"fold_of of detector.json: {name!r} is in {fold!r}, no fold")
    return fold_of


def _check_shapes(heads: Heads, folder: Path) -> None:
    if heads.coefficients.shape[1:] != (len(heads.classes), FEATURES):
        raise InputError(
            f"{folder}: a detector of {heads.coefficients.shape[1:]} classes and features, "
            f"{(len(heads.classes), FEATURES)} are wanted; run `dvc repro fit_detector`"
        )
    shape = heads.coefficients.shape[:2]
    arrays = (heads.coefficients, heads.intercepts, heads.temperatures)
    if (
        heads.intercepts.shape != shape
        or heads.temperatures.shape != shape[:1]
        or any(array.dtype.kind != "f" for array in arrays)
    ):
        raise InputError(
            f"{folder}: no whole detector (the arrays of heads.npz do not fit together); "
            "run `dvc repro fit_detector`"
        )
