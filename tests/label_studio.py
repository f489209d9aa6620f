"""What Label Studio makes of a task: its record in a JSON export, as version 1.23.2 writes it."""

import json


def annotate(task, annotator, labels, *, number=1, skipped=False):
    """An annotation with labels by turn: `{2: ("NEU",)}`."""
    places = {entry["turn"]: place for place, entry in enumerate(task["data"]["turns"])}
    result = [
        {
            "value": {"choices": list(chosen)},
            "id": f"region_{place}",
            "from_name": f"labels_{place}",
            "to_name": f"user_{place}",
            "type": "choices",
            "origin": "manual",
        }
        for place, chosen in ((places[turn], chosen) for turn, chosen in labels.items())
    ]
    return {
        "id": number,
        "completed_by": annotator,
        "was_cancelled": skipped,
        "ground_truth": False,
        "lead_time": 12.5,
        "result": result,
    }


def record(task, number, *annotations, drafts=()):
    """The record of a task with its annotations."""
    return {
        "id": number,
        "annotations": list(annotations),
        "drafts": list(drafts),
        "predictions": [index for index, _ in enumerate(task["predictions"], 1)],
        "data": task["data"],
        "meta": {},
        "total_annotations": len(annotations),
        "project": 3,
    }


def write_export(path, *records):
    path.write_text(json.dumps(records), encoding="utf-8")
    return path
