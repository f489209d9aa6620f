import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_lens.analysis.prompt_sets import Prompt, list_split_prompts, read_prompt_set
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Message
from feedback_lens.stages import rate_prompt_sets
from feedback_lens.tables import read_rows

BENCHMARKS = Path(__file__).parents[1] / "data" / "benchmarks"
TASK = {
    "session_id": "s",
    "conversation_input": [
        {"role": "user", "content": "u1"},
        {"role": "assistant", "content": "m1"},
        {"role": "user", "content": "u2"},
    ],
}


def write_lines(path, *rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def texts(prompts):
    return {prompt.prompt_id: prompt.text for prompt in prompts}


def test_the_prompts_of_a_splits_table_stand_in_sets_of_its_splits():
    row = {"conversation_id": "a", "turn": 2, "prompt": "u2", "reply": "m2", "label": None}
    # the same sub-conversation may be in two splits, and is rated in both
    assert list_split_prompts({**row, "split": split} for split in ("neg", "rand")) == [
        Prompt("neg", "a:2", (Message("user", "u2"),)),
        Prompt("rand", "a:2", (Message("user", "u2"),)),
    ]


def test_a_question_of_mt_bench_is_all_its_turns(tmp_path):
    path = write_lines(tmp_path / "q.jsonl", {"question_id": 81, "turns": ["one", "two"]})
    (prompt,) = read_prompt_set("bench", path, "mt_bench")
    assert prompt == Prompt("bench", "81", (Message("user", "one"), Message("user", "two")))
    assert prompt.text == "one\n\ntwo"


def test_a_task_of_wildbench_is_its_dialogue(tmp_path):
    path = write_lines(tmp_path / "t.jsonl", TASK)
    (prompt,) = read_prompt_set("bench", path, "wildbench")
    assert (prompt.prompt_id, prompt.text) == ("s", "u1\n\nm1\n\nu2")
    assert [message.role for message in prompt.messages] == ["user", "assistant", "user"]


def test_a_prompt_of_lima_is_the_first_turn(tmp_path):
    rows = [{"conversations": ["ask", "answer", "more"], "source": "x"}, {"conversations": ["two"]}]
    path = write_lines(tmp_path / "lima.jsonl", *rows)
    # without ids the file and line stand for them
    found = texts(read_prompt_set("lima", path, "lima"))
    assert found == {"lima.jsonl:1": "ask", "lima.jsonl:2": "two"}
    pd.DataFrame(rows).to_parquet(tmp_path / "lima.parquet")
    found = texts(read_prompt_set("lima", tmp_path / "lima.parquet", "lima"))
    assert found == {"lima.parquet:1": "ask", "lima.parquet:2": "two"}


@pytest.mark.parametrize("prompt_format", ["prompts", "prompts:prompt"])
def test_one_s_own_prompts_have_a_text_and_perhaps_an_id(tmp_path, prompt_format):
    path = write_lines(tmp_path / "own.jsonl", {"id": 7, "prompt": "a\u2028b"}, {"prompt": "c"})
    found = texts(read_prompt_set("own", path, prompt_format))
    assert found == {"7": "a\u2028b", "own.jsonl:2": "c"}


def test_another_column_can_hold_the_text(tmp_path):
    (tmp_path / "own.csv").write_text('id,question\nx,"first, line\nsecond"\ny,other\n')
    found = texts(read_prompt_set("own", tmp_path / "own.csv", "prompts:question"))
    assert found == {"x": "first, line\nsecond", "y": "other"}


def test_the_shards_of_a_folder_are_one_set(tmp_path):
    write_lines(tmp_path / "a.jsonl", {"prompt": "one"})
    (tmp_path / "b.json").write_text('[{"prompt": "two"}]')
    found = texts(read_prompt_set("own", tmp_path, "prompts"))
    assert found == {"a.jsonl:1": "one", "b.json:1": "two"}


def test_every_question_of_the_sample_has_one_prompt():
    # beside its questions a benchmark's folder holds reference answers, which are no prompts
    for name in ("mt_bench", "wildbench"):
        questions = read_questions(BENCHMARKS / name)
        prompts = read_prompt_set(name, BENCHMARKS / name, name)
        assert [p.prompt_id for p in prompts] == [q.question_id for q in questions]
        assert all(p.text.endswith(q.turns[-1]) for p, q in zip(prompts, questions, strict=True))


def test_half_a_character_becomes_a_question_mark(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", '{"prompt": "a\\ud800b"}')
    assert texts(read_prompt_set("own", path, "prompts")) == {"own.jsonl:1": "a?b"}


BAD = [
    ("prompts", "[1]", "it is no JSON object"),
    ("prompts", "{", "it is no JSON object"),
    ("prompts", {"text": "x"}, "a text of 'prompt' is missing or empty"),
    ("prompts", {"prompt": " "}, "a text of 'prompt' is missing or empty"),
    ("prompts", {"prompt": 5}, "a text of 'prompt' is missing or empty"),
    ("prompts", {"id": True, "prompt": "x"}, "the id 'id' is missing"),
    ("mt_bench", {"question_id": 1}, "the field 'turns' is missing or no list"),
    ("mt_bench", {"question_id": 1, "turns": []}, "the field 'turns' is missing or empty"),
    ("mt_bench", {"question_id": 1, "turns": ["a", None]}, "a text of 'turns' is missing"),
    ("mt_bench", {"turns": ["a"]}, "the id 'question_id' is missing"),
    ("lima", {"conversations": "x"}, "the field 'conversations' is missing or no list"),
    ("wildbench", {**TASK, "conversation_input": []}, "does not end with a user's message"),
    ("wildbench", {**TASK, "conversation_input": [5]}, "has no role user or assistant"),
    (
        "wildbench",
        {**TASK, "conversation_input": TASK["conversation_input"][:2]},
        "does not end with a user's message",
    ),
]


@pytest.mark.parametrize(("prompt_format", "row", "reason"), BAD)
def test_a_row_without_a_prompt_is_named(tmp_path, prompt_format, row, reason):
    good = {
        "prompts": {"prompt": "x"},
        "mt_bench": {"question_id": 0, "turns": ["x"]},
        "lima": {"conversations": ["x"]},
        "wildbench": {**TASK, "session_id": "good"},
    }
    path = write_lines(tmp_path / "set.jsonl", good[prompt_format], row)
    with pytest.raises(InputError) as error:
        read_prompt_set("own", path, prompt_format)
    assert f"{path}:2: " in error.value.message
    assert reason in error.value.message
    assert "prompt_sets.own.format in params.yaml" in error.value.message


def test_an_id_that_stands_twice_is_an_error(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", *[{"id": "x", "prompt": "a"}] * 2)
    with pytest.raises(InputError, match=r"own.jsonl:2: the id 'x' stands twice"):
        read_prompt_set("own", path, "prompts")


@pytest.mark.parametrize("prompt_format", ["prompt", "prompts:", "lima:x", ""])
def test_an_unknown_format_is_an_error(tmp_path, prompt_format):
    with pytest.raises(InputError, match=r"prompt_sets.own.format: unknown format"):
        read_prompt_set("own", tmp_path, prompt_format)


def test_a_path_without_prompts_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no such prompts; set prompt_sets.own.path"):
        read_prompt_set("own", tmp_path / "none.jsonl", "prompts")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match=r"empty.jsonl: holds no prompt"):
        read_prompt_set("own", tmp_path / "empty.jsonl", "prompts")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS = ("id", "prompt", "question_id", "turns", "session_id", "conversation_input", "role")


@given(
    st.sampled_from(["mt_bench", "wildbench", "lima", "prompts"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_row_is_a_prompt_or_an_error_that_names_it(tmp_path, prompt_format, row):
    path = write_lines(tmp_path / "any.jsonl", row)
    try:
        (prompt,) = read_prompt_set("own", path, prompt_format)
    except InputError as error:
        assert f"{path}:1: " in error.message
    else:
        assert prompt.text.strip()


def test_the_stage_rates_any_set_and_writes_no_text_into_its_metrics(tmp_path):
    path = write_lines(tmp_path / "own.jsonl", {"id": "a", "prompt": "Fix my Python code"})
    words = (
        f"--prompt_set own --path {path} --format prompts --prompts {tmp_path} "
        f"--assistant {tmp_path} --ratings {tmp_path / 'r.parquet'} --counts {tmp_path / 'c.json'} "
        f"--metrics {tmp_path / 'm.json'} --rater rules --model none --temperature None "
        "--max_tokens None --reasoning_effort None --reasks 0 --no-structured --tokenizer words "
        "--counting texts --resamples 10 --seed 1"
    )
    result = CliRunner().invoke(rate_prompt_sets.main, words.split())
    assert result.exit_code == 0, result.output
    metrics = (tmp_path / "m.json").read_text()
    found = json.loads(metrics)
    assert (found["tokenizer"], found["counting"]) == ("words", "texts")
    assert (found["own"]["prompts"], found["own"]["tokens"]) == (1, 4)
    assert "Python" not in metrics
    assert [row["prompt_id"] for row in read_rows(tmp_path / "r.parquet")] == ["a"]
