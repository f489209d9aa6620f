import json
from pathlib import Path

import pytest

from feedback_lens.benchmarks.questions import (
    GROUPS,
    REFERENCED,
    TEMPERATURES,
    describe_unknown_categories,
    read_questions,
)
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
    none = [
        {**TASK, "session_id": f"s{number}", "references": references}
        for number, references in enumerate((None, {"gpt-4": None}))
    ]
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
    tasks = [
        {**TASK, "session_id": number, "primary_tag": tag, "secondary_tags": more}
        for number, (tag, more) in enumerate(tags)
    ]
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
    with pytest.raises(InputError, match=rf"tasks\.jsonl:1: {message}"):
        read_questions(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"session_id": True}, "session_id: an id is wanted, found True"),
        ({"checklist": None}, "checklist: a list of texts is wanted, found None"),
        ({"checklist": "Right?"}, r"checklist: a list of texts is wanted, found 'Right\?'"),
        ({"checklist": ["Right?", 1]}, r"checklist\[1\]: a text is wanted, found 1"),
        ({"conversation_input": "hello"}, "conversation_input: a list of messages is wanted, "),
        (
            {"conversation_input": [{"content": "x"}]},
            r"conversation_input\[0\]: a message with \"role\" and \"content\" is wanted, found "
            r"{'content': 'x'}",
        ),
        ({"conversation_input": ["x"]}, r"conversation_input\[0\]: a message with"),
        (
            {"conversation_input": [{"role": "user", "content": None}]},
            r"conversation_input\[0\]\.content: a text is wanted, found None",
        ),
        (
            {"conversation_input": [{"role": 1, "content": "x"}]},
            r"conversation_input\[0\]\.role: a text is wanted, found 1",
        ),
        ({"references": ["r"]}, r"references: an object of .* is wanted, found \['r'\]"),
        ({"references": {"gpt-4": ["r"]}}, r"references\.gpt-4: a text or null is wanted, found"),
        ({"primary_tag": None}, "primary_tag: a text is wanted, found None"),
        ({"secondary_tags": "Math"}, "secondary_tags: a list of texts is wanted, found 'Math'"),
    ],
)
def test_a_task_s_field_of_another_form_is_named_with_what_was_found(tmp_path, change, message):
    write(tmp_path, "tasks.jsonl", {**TASK, "session_id": "t"}, {**TASK, **change})
    with pytest.raises(InputError, match=rf"tasks\.jsonl:2: {message}"):
        read_questions(tmp_path)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (None, "choices: a list of one object or more with .* is wanted, found None"),
        ([], r"choices: a list of one object or more .* is wanted, found \[\]"),
        ([["ra"]], r"choices: a list of one object or more .* is wanted, found \[\['ra'\]\]"),
        ([{"index": 0}], "choices: a list of one object or more with"),
        ([{"turns": "ra"}], r"choices\[0\]\.turns: a list of texts is wanted, found 'ra'"),
    ],
)
def test_a_reference_of_another_form_is_named_with_what_was_found(tmp_path, choices, message):
    write(tmp_path, "question.jsonl", QUESTION)
    write(tmp_path, "reference.jsonl", {**REFERENCE, "choices": choices})
    with pytest.raises(InputError, match=rf"reference\.jsonl:1: {message}"):
        read_questions(tmp_path)


@pytest.mark.parametrize(("question", "reference"), [(1, "1"), ("1", 1)])
def test_a_reference_is_found_whether_ids_are_numbers_or_texts(tmp_path, question, reference):
    write(tmp_path, "question.jsonl", {**QUESTION, "question_id": question})
    write(tmp_path, "reference.jsonl", {**REFERENCE, "question_id": reference})
    assert [q.references for q in read_questions(tmp_path)] == [("ra", "rb")]


@pytest.mark.parametrize("name", ["question.jsonl", "tasks.jsonl"])
def test_a_file_without_a_question_is_an_error(tmp_path, name):
    write(tmp_path, name, "")
    with pytest.raises(InputError, match=rf"{name}: holds no question"):
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
        (json.dumps({**QUESTION, "question_id": 2, "turns": []}), r"jsonl:2: turns: a list of one"),
        (json.dumps({**QUESTION, "question_id": 2, "turns": "ab"}), r"jsonl:2: turns: a list of"),
        (
            json.dumps({**QUESTION, "question_id": 2, "turns": ["a", None]}),
            r"jsonl:2: turns\[1\]: a text is wanted, found None",
        ),
        (
            json.dumps({**QUESTION, "question_id": 2, "category": ["math"]}),
            r"jsonl:2: category: a text is wanted, found \['math'\]",
        ),
        (
            json.dumps({**QUESTION, "question_id": None}),
            "jsonl:2: question_id: an id is wanted, found None",
        ),
        # ids are compared as the tables hold them, as texts
        (
            json.dumps({**QUESTION, "question_id": "1"}),
            r"question\.jsonl:2: question_id '1' stands at .*question\.jsonl:1, too",
        ),
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


def test_a_task_s_id_that_stands_twice_is_named_with_both_rows(tmp_path):
    write(tmp_path, "tasks.jsonl", TASK, "", {**TASK, "session_id": "t"}, TASK)
    with pytest.raises(InputError, match=r"tasks\.jsonl:4: session_id 's' stands at .*\.jsonl:1"):
        read_questions(tmp_path)


def test_without_a_file_of_references_there_are_none(tmp_path):
    write(tmp_path, "question.jsonl", QUESTION)
    [question] = read_questions(tmp_path)
    assert (question.is_referenced, question.references) == (True, ())


def test_categories_that_no_benchmark_has_are_told_with_their_temperature(tmp_path):
    write(tmp_path, "tasks.jsonl", TASK)
    tasks = read_questions(tmp_path)
    odd = [{**QUESTION, "question_id": c, "category": c} for c in ("maths", "math", "cooking")]
    write(tmp_path, "question.jsonl", *odd)
    line = describe_unknown_categories("mt_bench", read_questions(tmp_path))
    assert line.startswith("mt_bench: 'cooking', 'maths': none of MT-Bench's categories (writing, ")
    assert line.endswith("so asked at temperature 0.7")
    assert describe_unknown_categories("wildbench", tasks) is None


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
