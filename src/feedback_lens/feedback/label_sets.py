"""The label sets of one gold set: by annotators and by detectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import GOLD, Key
from feedback_lens.tables import read_rows


class Prediction(NamedTuple):
    """A row of the labels table: `listed` tells whether the detector's reply speaks of the turn."""

    label: str | None
    listed: bool
    outcome: str


Predictions = Mapping[Key, Prediction]


@dataclass(frozen=True)
class LabelSets:
    """Labels of the turns of a gold set: by each annotator, `gold` first, and each detector.

    `origins` names the conversation of the log that a conversation was cut from, where it was.
    """

    annotators: Mapping[str, Mapping[Key, str]]
    predictions: Mapping[str, Predictions]
    origins: Mapping[str, str]

    @property
    def gold(self) -> Mapping[Key, str]:
        """The gold label of each annotated turn."""
        return self.annotators[GOLD]

    def origin(self, key: Key) -> str:
        """The conversation of the log that a turn belongs to."""
        return self.origins.get(key[0], key[0])

    def list_labels(self) -> dict[str, Mapping[Key, str | None]]:
        """The labels of each set by name, `gold` first, then annotators, then detectors."""
        labels: dict[str, Mapping[Key, str | None]] = {GOLD: self.gold, **self.annotators}
        for name, predictions in self.predictions.items():
            labels[name] = {key: prediction.label for key, prediction in predictions.items()}
        return labels


def read_label_sets(labels: Path, folder: Path, detectors: Sequence[str]) -> LabelSets:
    """The annotators' labels of a table `GOLD_LABELS`, and those in `<detector>.parquet`.

    Raises:
        InputError: a table is missing or unreadable, or an annotator has a detector's name.
    """
    annotators: dict[str, dict[Key, str]] = {}
    origins: dict[str, str] = {}
    for row in read_rows(labels):
        key = (row["conversation_id"], row["turn"])
        annotators.setdefault(row["annotator"], {})[key] = row["label"]
        origins[row["conversation_id"]] = row["log_conversation_id"]
    if both := sorted({*annotators} & {*detectors}):
        raise InputError(
            f"{labels}: annotator {both[0]!r} has a detector's name; rename {both[0]}.csv in the "
            "gold set's folder of labels"
        )
    predictions = {name: _read_predictions(folder / f"{name}.parquet") for name in detectors}
    return LabelSets(annotators, predictions, origins)


def _read_predictions(path: Path) -> dict[Key, Prediction]:
    columns = ["conversation_id", "turn", "label", "listed", "outcome"]
    return {
        (row["conversation_id"], row["turn"]): Prediction(
            row["label"], row["listed"], row["outcome"]
        )
        for row in read_rows(path, columns)
    }
