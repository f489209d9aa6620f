"""What is read out of Label Studio's JSON export, and what is refused."""

import pytest

from dialogues import dialogue
from feedback_lens.annotation.annotators import (
    collect_labels,
    list_contradictions,
    list_gaps,
    name_annotators,
)
from feedback_lens.annotation.exports import read_export
from feedback_lens.annotation.tasks import make_task
from feedback_lens.errors import InputError
from label_studio import annotate, record, write_export

TASK = make_task(dialogue("c", "one", "x", "two", "y", "three"), {"own": {("c", 2): ("POS",)}})


@pytest.fixture
def export(tmp_path):
    return lambda *records: write_export(tmp_path / "export.json", *records)


def collect(path):
    tasks = read_export(path)
    names = name_annotators((one.annotator for task in tasks for one in task.submissions), {})
    return collect_labels(tasks, names, path)


def test_labels_are_keyed_by_conversation_and_turn_and_ordered(export):
    path = export(record(TASK, 7, annotate(TASK, 1, {2: ("POS", "NEG_2"), 3: ("NEU",)})))
    assert collect(path) == {"annotator_1": {("c", 2): ("NEG_2", "POS"), ("c", 3): ("NEU",)}}


def test_annotators_are_numbers_or_have_an_address(export):
    address = {"id": 4, "email": "Anna.B@example.org", "first_name": ""}
    labels = {2: ("NEU",)}
    path = export(
        record(TASK, 7, annotate(TASK, address, labels), annotate(TASK, {"id": 5}, labels))
    )
    assert set(collect(path)) == {"anna_b_example_org", "annotator_5"}


def test_skipped_tasks_drafts_and_predictions_are_no_labels(export):
    skipped = annotate(TASK, 1, {2: ("POS",)}, skipped=True)
    path = export(record(TASK, 7, skipped, drafts=[annotate(TASK, 2, {2: ("POS",)})]))
    (task,) = read_export(path)
    assert [one.skipped for one in task.submissions] == [True]
    assert collect(path) == {}


def test_fields_that_the_team_added_are_left_alone(export):
    annotation = annotate(TASK, 1, {2: ("NEU",)})
    annotation["result"] += [
        {"from_name": "comment", "type": "textarea", "value": {"text": ["odd"]}},
        {"type": "relation", "from_id": "a", "to_id": "b"},
    ]
    assert collect(export(record(TASK, 7, annotation))) == {"annotator_1": {("c", 2): ("NEU",)}}


def test_turns_without_a_label_are_listed_by_task(export):
    annotation = annotate(TASK, 1, {3: ("NEU",)})
    annotation["result"].append({"from_name": "labels_0", "value": {"choices": []}})
    tasks = read_export(export(record(TASK, 7, annotation), record(TASK, 8)))
    assert list_gaps(tasks, {"1": "anna"}) == ["task 7: anna left out turn 2"]


def test_no_feedback_beside_feedback_is_listed():
    labels = {"anna": {("c", 2): ("POS", "NEU"), ("c", 3): ("POS", "NEG_2")}}
    (line,) = list_contradictions(labels)
    assert line == "conversation 'c', turn 2: anna says POS|NEU"


def test_the_same_labels_twice_are_one_and_other_labels_are_an_error(export):
    once, other = annotate(TASK, 1, {2: ("POS", "NEG_2")}), annotate(TASK, 1, {2: ("NEU",)})
    again = annotate(TASK, 1, {2: ("NEG_2", "POS")})
    assert collect(export(record(TASK, 7, once, again))) == {
        "annotator_1": {("c", 2): ("NEG_2", "POS")}
    }
    path = export(record(TASK, 7, once), record(TASK, 8, other))
    with pytest.raises(InputError) as caught:
        collect(path)
    assert caught.value.message == (
        f"{path}: task 8: annotator 1 says NEU of turn 2, and NEG_2|POS in task 7; delete one of "
        "the two annotations in Label Studio, and export again"
    )


def broken(**changes):
    return record(TASK, 7, annotate(TASK, 1, {2: ("NEU",)})) | changes


def with_result(**region):
    annotation = annotate(TASK, 1, {2: ("NEU",)})
    annotation["result"][0] |= region
    return broken(annotations=[annotation])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (broken(annotations=None), "task 7: no list of annotations; export as JSON, not"),
        (broken(data={"text": "x"}), "task 7: no conversation_id in its data"),
        (broken(data=None), "task 7: no conversation_id in its data"),
        (broken(data=TASK["data"] | {"turns": []}), r"task 7: its data's turns \[\] are not"),
        (
            broken(data=TASK["data"] | {"turns": [{"turn": 2}, {"turn": 2}]}),
            r"turns \[2, 2\] are not numbers from 2 on, each once",
        ),
        (
            broken(data=TASK["data"] | {"turns": [{"turn": 2}, {"turn": True}]}),
            r"turns \[2, True\] are not",
        ),
        (broken(annotations=[{"completed_by": 1}]), "task 7: an annotation without a result"),
        (broken(annotations=[annotate(TASK, None, {})]), "completed_by None names no annotator"),
        (broken(annotations=[annotate(TASK, {}, {})]), "completed_by {} names no annotator"),
        (with_result(from_name="labels_2"), "task 7: annotator 1: labels_2 is no field of this"),
        (with_result(value={"choices": ["good"]}), "annotator 1: turn 2: choice 'good' is unknown"),
        (with_result(value={"choices": [["NEU"]]}), r"turn 2: choice \['NEU'\] is unknown"),
        (with_result(value={"rating": 3}), "annotator 1: turn 2: no list of choices"),
    ],
)
def test_what_is_no_export_of_our_tasks_is_refused_with_task_and_mend(export, wrong, message):
    with pytest.raises(InputError, match=message) as caught:
        read_export(export(wrong))
    assert "export.json: task 7" in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,labels\n", "not JSON .*; export as JSON"),
        (b"\xff\xfe", "not JSON .*; export as JSON"),
        (b'{"tasks": []}', "a list of tasks is wanted"),
        (b"[1]", "a list of tasks is wanted"),
    ],
)
def test_what_is_no_list_of_tasks_is_refused(tmp_path, content, message):
    path = tmp_path / "export.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_export(path)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        read_export(path)


@pytest.mark.parametrize(
    ("known", "given", "message"),
    [
        (
            ["a.b@x", "a-b@x"],
            {},
            "annotator a.b@x: name 'a_b_x' is taken; give another with --name",
        ),
        (["Ж@Ж"], {}, "annotator Ж@Ж: name '' is not usable"),
        (["1"], {"1": "gold"}, "annotator 1: name 'gold' is not usable"),
        (["1"], {"1": "../x"}, "name '../x' is not usable"),
    ],
)
def test_names_that_make_no_file_of_their_own_are_refused(known, given, message):
    with pytest.raises(InputError, match=message):
        name_annotators(known, given)
