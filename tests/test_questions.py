import json
from pathlib import Path

import pytest

from feedback_lens.benchmarks.questions import GROUPS, REFERENCED, TEMPERATURES, read_questions
from feedback_lens.errors import InputError

REAL = Path(__file__).parents[2] / "shared" / "real" / "mt_bench"

QUESTION = {"question_id": 1, "category": "math", "turns": ["a", "b"]}
REFERENCE = {"question_id": 1, "choices": [{"index": 0, "turns": ["ra", "rb"]}]}
TASK = {
    "session_id": "s",
    "conversation_input": [
        {"role": "user", "content": "u1", "language": "English"},
        {"role": "assistant", "content": "m1"},
        {"role": "user", "content": "u2"},
    ],
    "references": {"gpt-4": "r"},
    "checklist": ["Is it short?", "Is it right?"],
    "primary_tag": "Math",
}


def write(folder, name, *rows):
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_mt_bench_questions_come_with_their_references(tmp_path):
    roleplay = {"question_id": 2, "category": "roleplay", "turns": ["c\u2028d", "e"]}
    write(tmp_path, "question.jsonl", QUESTION, roleplay, "")
    write(tmp_path, "reference.jsonl", REFERENCE)
    math, other = read_questions(tmp_path)
    assert (math.question_id, math.turns, math.references) == ("1", ("a", "b"), ("ra", "rb"))
    assert (math.temperature, math.history, math.checklist) == (0.0, (), ())
    assert (other.turns, other.references, other.temperature) == (("c\u2028d", "e"), (), 0.7)


def test_wildbench_tasks_come_with_history_and_checklist(tmp_path):
    none = [{**TASK, "references": references} for references in (None, {"gpt-4": None})]
    write(tmp_path, "tasks.jsonl", TASK, *none)
    task, bare, empty = read_questions(tmp_path)
    assert (task.question_id, task.categories) == ("s", ("Math & Data Analysis",))
    assert task.turns == ("u2",)
    assert task.history == (
        {"role": "user", "content": "u1"},
        {"role": "assistant", "content": "m1"},
    )
    assert (task.references, bare.references, empty.references) == (("r",), (), ())
    assert task.checklist == ("Is it short?", "Is it right?")


def test_a_task_counts_once_in_each_group_of_its_tags(tmp_path):
    tags = [
        ("Coding & Debugging", []),
        ("Editing", ["Creative Writing", "Math", "Others"]),
        ("Math", ["Planning", "Reasoning", "Data Analysis", "Advice seeking"]),
    ]
    tasks = [{**TASK, "primary_tag": tag, "secondary_tags": more} for tag, more in tags]
    write(tmp_path, "tasks.jsonl", *tasks, {**TASK, "secondary_tags": None})
    assert [task.categories for task in read_questions(tmp_path)] == [
        ("Coding & Debugging",),
        # three of the four tags are creative
        ("Creative Tasks", "Math & Data Analysis"),
        ("Math & Data Analysis", "Planning & Reasoning", "Information/Advice seeking"),
        ("Math & Data Analysis",),
    ]


def test_the_twelve_tags_fall_into_wildbench_s_five_groups():
    """By WildBench's task_group_new, written down from its other side."""
    members = {group: {tag for tag in GROUPS if GROUPS[tag] == group} for group in GROUPS.values()}
    creative = {"Creative Writing", "Editing", "Brainstorming", "Role playing", "Others"}
    assert members == {
        "Information/Advice seeking": {"Information seeking", "Advice seeking"},
        "Creative Tasks": creative,
        "Planning & Reasoning": {"Planning", "Reasoning"},
        "Math & Data Analysis": {"Math", "Data Analysis"},
        "Coding & Debugging": {"Coding & Debugging"},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"primary_tag": "Maths"}, "the tag 'Maths' is none of Information seeking, "),
        ({"secondary_tags": ["math"]}, "the tag 'math' is none of Information seeking, "),
        ({"conversation_input": []}, "session_id 's': conversation_input must end with a message"),
        ({"conversation_input": TASK["conversation_input"][:2]}, "session_id 's': conversation"),
    ],
)
def test_a_task_that_cannot_be_judged_is_an_error(tmp_path, change, message):
    write(tmp_path, "tasks.jsonl", {**TASK, **change})
    with pytest.raises(InputError, match=rf"tasks\.jsonl: {message}"):
        read_questions(tmp_path)


def test_messages_are_the_history_and_each_turn_with_its_answer(tmp_path):
    write(tmp_path, "tasks.jsonl", TASK)
    [task] = read_questions(tmp_path)
    said = [(m["role"], m["content"]) for m in task.list_messages([None])]
    # an answer without text is empty
    assert said == [("user", "u1"), ("assistant", "m1"), ("user", "u2"), ("assistant", "")]


def test_temperatures_and_references_are_those_of_fastchat():
    by_temperature = {
        t: {c for c, value in TEMPERATURES.items() if value == t} for t in (0, 0.1, 0.7)
    }
    assert by_temperature == {
        0: {"extraction", "math", "coding", "reasoning"},
        0.1: {"stem", "humanities"},
        0.7: {"writing", "roleplay"},
    }
    assert set(REFERENCED) == {"math", "reasoning", "coding"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question_id": 2', r"question\.jsonl:2: not JSON"),
        ("[1]", r"question\.jsonl:2: a JSON object is wanted, found list"),
        ("5", r"question\.jsonl:2: a JSON object is wanted, found int"),
        ('{"question_id": 2, "turns": []}', r"question\.jsonl:2: the field 'category' is missing"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    write(tmp_path, "question.jsonl", QUESTION, line)
    write(tmp_path, "reference.jsonl", REFERENCE)
    with pytest.raises(InputError, match=message):
        read_questions(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds neither question\.jsonl \(MT-Bench\) nor tasks"):
        read_questions(tmp_path)
    write(tmp_path, "question.jsonl", QUESTION)
    with pytest.raises(InputError, match=r"reference\.jsonl: cannot be read \(No such file"):
        read_questions(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="real data, not in Git: ../shared")
def test_the_real_mt_bench_is_read(tmp_path):
    (tmp_path / "question.jsonl").symlink_to(REAL / "question.jsonl")
    (tmp_path / "reference.jsonl").symlink_to(REAL / "reference_answer_gpt-4.jsonl")
    questions = read_questions(tmp_path)
    # 8 categories of 10, two turns each; references for math, reasoning and coding
    assert [question.question_id for question in questions] == [str(n) for n in range(81, 161)]
    assert {question.categories for question in questions} == {
        (category,) for category in TEMPERATURES
    }
    assert all(len(question.turns) == 2 for question in questions)
    referenced = [question for question in questions if question.references]
    assert referenced == [question for question in questions if question.is_referenced]
    assert len(referenced) == 30
