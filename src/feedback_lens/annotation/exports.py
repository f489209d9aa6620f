"""What annotators chose, from Label Studio's JSON export.

Source: Label Studio's export format "JSON", checked against version 1.23.2.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from feedback_lens.annotation.tasks import FIRST_TURN
from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import FINE

PLACE: Final = re.compile(r"labels_(\d+)")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Submission:
    """What one annotator submitted for a task: the labels of its turns, in the order of `FINE`.

    `annotator` is the e-mail address or, where the export has none, the number. A task that the
    annotator skipped has no labels and is `skipped`.
    """

    annotator: str
    labels: Mapping[int, tuple[str, ...]]
    skipped: bool


@dataclass(frozen=True)
class AnnotatedTask:
    """A task of an export: its conversation, the turns to label, and who submitted what."""

    task: str
    conversation_id: str
    turns: tuple[int, ...]
    submissions: tuple[Submission, ...]


def read_export(path: Path) -> list[AnnotatedTask]:
    """The tasks of an export, annotated or not; drafts and predictions count for nothing.

    Fields of other names than our configuration's are left out: a team may add its own.

    Raises:
        InputError: the file cannot be read, or is no JSON export of our tasks: file, task, mend.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; export the project from Label Studio") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not JSON ({error}); export as JSON") from None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: a list of tasks is wanted; export as JSON")
    return [_read_task(record, f"{path}: task {record.get('id')}") for record in records]


def _read_task(record: Record, where: str) -> AnnotatedTask:
    if not isinstance(record.get("annotations"), list):
        raise InputError(f"{where}: no list of annotations; export as JSON, not as JSON-MIN or CSV")
    data = record.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("conversation_id"), str):
        raise InputError(
            f"{where}: no conversation_id in its data; this command reads exports of tasks that "
            "`feedback-lens annotate export` made"
        )
    turns = _read_turns(data, where)
    submissions = [_read_submission(one, turns, where) for one in record["annotations"]]
    return AnnotatedTask(str(record.get("id")), data["conversation_id"], turns, tuple(submissions))


def _read_turns(data: Record, where: str) -> tuple[int, ...]:
    entries = data.get("turns")
    found = [
        entry.get("turn") if isinstance(entry, dict) else None
        for entry in (entries if isinstance(entries, list) else [])
    ]
    turns = tuple(turn for turn in found if type(turn) is int and turn >= FIRST_TURN)
    if not turns or len(set(turns)) < len(found):
        raise InputError(
            f"{where}: its data's turns {found} are not numbers from {FIRST_TURN} on, each once; "
            "was the task edited? make it again with `feedback-lens annotate export`"
        )
    return turns


def _read_submission(record: Any, turns: tuple[int, ...], where: str) -> Submission:
    if not isinstance(record, dict) or not isinstance(record.get("result"), list):
        raise InputError(f"{where}: an annotation without a result; export as JSON again")
    annotator = _read_annotator(record.get("completed_by"), where)
    if record.get("was_cancelled"):
        return Submission(annotator, {}, True)
    chosen: dict[int, set[str]] = {}
    for turn, labels in _read_result(record["result"], turns, f"{where}: annotator {annotator}"):
        chosen.setdefault(turn, set()).update(labels)
    ordered = {
        turn: tuple(label for label in FINE if label in chosen[turn])
        for turn in turns
        if chosen.get(turn)
    }
    return Submission(annotator, ordered, False)


def _read_annotator(value: Any, where: str) -> str:
    known = value.get("email") or value.get("id") if isinstance(value, dict) else value
    if known is None or isinstance(known, bool) or not isinstance(known, int | str):
        raise InputError(
            f"{where}: completed_by {value!r} names no annotator; open the annotation in Label "
            "Studio, save it, and export again"
        )
    return str(known)


def _read_result(
    result: list[Any], turns: tuple[int, ...], where: str
) -> Iterator[tuple[int, list[str]]]:
    for region in result:
        field = region.get("from_name") if isinstance(region, dict) else None
        match = PLACE.fullmatch(field) if isinstance(field, str) else None
        if match is None:
            continue
        place = int(match[1])
        if place >= len(turns):
            raise InputError(f"{where}: {field} is no field of this task; was the task edited?")
        yield turns[place], _read_choices(region.get("value"), f"{where}: turn {turns[place]}")


def _read_choices(value: Any, where: str) -> list[str]:
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list):
        raise InputError(f"{where}: no list of choices; the labeling configuration was changed")
    unknown = [choice for choice in choices if choice not in FINE]
    if unknown:
        raise InputError(
            f"{where}: choice {unknown[0]!r} is unknown; the aliases in the labeling configuration "
            f"are {', '.join(FINE)}: mend the configuration and label the turn again"
        )
    return choices
