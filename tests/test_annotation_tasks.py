"""Tasks for Label Studio: whole dialogues, one field a turn, and guidelines that say our ontology."""

import json
from collections import Counter
from xml.etree import ElementTree

import pytest

from dialogues import dialogue
from feedback_lens.annotation.suggestions import read_suggestions
from feedback_lens.annotation.tasks import (
    CONFIGURATION,
    FIELD,
    draw_conversations,
    make_task,
    write_tasks,
)
from feedback_lens.errors import InputError
from feedback_lens.feedback.labels import DESCRIPTIONS, FINE, LABELS, NEGATIVE, PRIORITY
from feedback_lens.tables import write_rows

TREE = ElementTree.parse(CONFIGURATION)
GUIDELINES = " ".join("".join(TREE.find(".//HyperText").itertext()).split())


def test_a_task_shows_the_whole_dialogue_in_order():
    task = make_task(dialogue("a", "one", "first", "two", "second", "three", "third"), {})
    assert task["data"] == {
        "conversation_id": "a",
        "opening": "one",
        "turns": [
            {"turn": 2, "reply": "first", "user": "two"},
            {"turn": 3, "reply": "second", "user": "three"},
        ],
        "closing": "third",
    }
    assert task["predictions"] == []


def test_a_dialogue_without_a_last_reply_has_an_empty_closing():
    assert make_task(dialogue("a", "one", "first", "two"), {})["data"]["closing"] == ""


def test_suggested_labels_are_predictions_under_the_name_of_their_file():
    suggested = {
        "own": {("a", 2): ("POS", "NEG_2"), ("a", 9): ("NEU",), ("b", 3): ("NEU",)},
        "anna": {("a", 3): ("NEU",)},
        "empty": {("b", 2): ("NEU",)},
    }
    task = make_task(dialogue("a", "one", "first", "two", "second", "three"), suggested)
    assert [one["model_version"] for one in task["predictions"]] == ["own", "anna"]
    assert [one["result"] for one in task["predictions"]] == [
        [suggestion(0, "POS", "NEG_2")],
        [suggestion(1, "NEU")],
    ]


def suggestion(place, *choices):
    return {
        "from_name": f"labels_{place}",
        "to_name": f"user_{place}",
        "type": "choices",
        "value": {"choices": list(choices)},
    }


def test_a_nul_which_label_studio_cannot_store_is_shown_as_a_symbol():
    assert make_task(dialogue("a", "o\0ne", "x", "y"), {})["data"]["opening"] == "o␀ne"


def test_tasks_are_ascii_json_whatever_the_text(tmp_path):
    text = "</script>\u2028{{idx}} $turns[0].user ]]> \u202eé\U0001f600"
    path = tmp_path / "tasks.json"
    tasks = [make_task(dialogue(name, text, text, text), {}) for name in "ab"]
    assert write_tasks(tasks, path) == 2
    assert path.read_bytes().isascii()
    assert json.loads(path.read_text()) == tasks


def test_no_tasks_are_an_empty_list(tmp_path):
    assert write_tasks([], tmp_path / "tasks.json") == 0
    assert json.loads((tmp_path / "tasks.json").read_text()) == []


def test_a_sample_depends_on_ids_alone_and_a_larger_one_adds_to_it():
    conversations = [dialogue(f"c{number}", "one", "x", "two") for number in range(40)]
    drawn = [one.conversation_id for one in draw_conversations(conversations, 12)]
    again = [one.conversation_id for one in draw_conversations(reversed(conversations), 5)]
    assert again == drawn[:5]
    assert len(set(drawn)) == 12
    ids = [one.conversation_id for one in conversations]
    assert drawn not in (ids[:12], sorted(ids)[:12])  # neither the log's order nor that of ids


def test_the_configuration_has_a_choice_for_each_label_and_stores_its_code():
    (choices,) = TREE.iter("Choices")
    assert [choice.get("alias") for choice in choices] == list(FINE)
    assert all(choice.get("value").startswith(choice.get("alias") + " ") for choice in choices)
    assert (choices.get("choice"), choices.get("required")) == ("multiple", "true")
    assert choices.get("name") == FIELD.format("{{idx}}")


def test_the_configuration_shows_every_part_of_a_task_once_and_as_plain_text():
    values = Counter(text.get("value") for text in TREE.iter("Text"))
    parts = ("$opening", "$turns[{{idx}}].reply", "$turns[{{idx}}].user", "$closing")
    assert values == dict.fromkeys(parts, 1)
    # only HyperText renders markup, and ours takes nothing from a task
    assert "$" not in TREE.find(".//HyperText").get("value")
    assert TREE.find(".//Repeater").get("on") == "$turns"


def test_the_guidelines_name_each_label_with_its_description_and_the_priority():
    for label, description in DESCRIPTIONS.items():
        assert f"{label} {description}" in GUIDELINES
    assert ", ".join(label for label in PRIORITY if label in NEGATIVE) in GUIDELINES


def test_suggestions_come_from_a_table_of_labels_without_what_was_left_open(tmp_path):
    rows = [
        {"conversation_id": "a", "turn": 2, "label": "NEU", "outcome": "answered"},
        {"conversation_id": "a", "turn": 3, "label": None, "outcome": "unreadable"},
    ]
    empty = dict.fromkeys(LABELS.names)
    write_rows([empty | row for row in rows], tmp_path / "own.parquet", LABELS)
    (tmp_path / "anna.csv").write_text("conversation_id,turn,labels\na,3,POS|NEG_2\n")
    assert read_suggestions([tmp_path / "own.parquet", tmp_path / "anna.csv"]) == {
        "own": {("a", 2): ("NEU",)},
        "anna": {("a", 3): ("POS", "NEG_2")},
    }


def test_two_suggestions_of_one_name_are_refused(tmp_path):
    (tmp_path / "more").mkdir()
    paths = [tmp_path / "own.csv", tmp_path / "more/own.csv"]
    for path in paths:
        path.write_text("conversation_id,turn,labels\n")
    with pytest.raises(InputError, match=r"more.own\.csv: another --labels is named own"):
        read_suggestions(paths)


def test_a_label_outside_the_ontology_is_refused(tmp_path):
    row = dict.fromkeys(LABELS.names) | {"conversation_id": "a", "turn": 2, "label": "BAD"}
    write_rows([row], tmp_path / "own.parquet", LABELS)
    with pytest.raises(InputError, match=r"own\.parquet: label 'BAD' is none of"):
        read_suggestions([tmp_path / "own.parquet"])
