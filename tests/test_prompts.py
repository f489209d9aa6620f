import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.errors import InputError
from feedback_lens.prompts import fence, read_prompt, render

ROOT = Path(__file__).parents[1]
PROMPTS = ROOT / "prompts"
PLACES = {
    "judge_mt_bench": {"dialogue"},
    "judge_pairs": {"dialogues"},
    "judge_wildbench": {"dialogue"},
    "label": {"conversation"},
    "label_prior": {"conversation"},
    "rate_complexity": {"prompt"},
    "rate_quality": {"prompt"},
    "regenerate_scratch": {"prompt"},
    "regenerate_semantic": {"exchange"},
    "regenerate_semantic_earlier": {"exchange"},
}


def test_every_prompt_of_the_project_has_its_places():
    assert {path.stem for path in PROMPTS.iterdir()} == set(PLACES)
    for name, places in PLACES.items():
        assert read_prompt(PROMPTS / f"{name}.txt", places)


def test_a_prompt_without_its_place_is_an_error(tmp_path):
    (tmp_path / "p.txt").write_text("Label {turns}, please. {JSON} {}")
    with pytest.raises(InputError, match=r"p\.txt: the place \{conversation\} is missing"):
        read_prompt(tmp_path / "p.txt", {"conversation", "turns"})


def test_a_prompt_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt: cannot be read \(No such file"):
        read_prompt(tmp_path / "absent.txt", set())
    (tmp_path / "p.txt").write_bytes("größer".encode("latin-1"))
    with pytest.raises(InputError, match=r"p\.txt: not UTF-8 .*; save it as UTF-8"):
        read_prompt(tmp_path / "p.txt", set())


def test_places_are_filled_and_other_braces_stay():
    template = 'Answer {"labels": [{"turn": 2}]} or {} for {turns} of {unknown}'
    expected = 'Answer {"labels": [{"turn": 2}]} or {} for 2 of {unknown}'
    assert render(template, {"turns": "2"}) == expected


def test_a_value_is_never_expanded():
    assert render("{a} {b}", {"a": "{b}", "b": "{a}"}) == "{b} {a}"


ANYTHING = st.text(st.characters(exclude_categories=())) | st.text('<|>[]/\\INSTs"{}\ud83d\ude00')


@given(ANYTHING)
def test_fenced_text_is_one_json_string_that_it_cannot_leave(text):
    prompt = render("Before\n{prompt}\nAfter {prompt", {"prompt": fence(text)})
    middle = prompt.removeprefix("Before\n").removesuffix("\nAfter {prompt")
    # half characters side by side are a whole one in any JSON
    assert json.loads(middle) == text.encode("utf-16", "surrogatepass").decode(
        "utf-16", "surrogatepass"
    )
    assert "\n" not in middle
    assert middle.encode("utf-8")


@pytest.mark.parametrize(
    ("character", "escaped"),
    [
        ("\x7f", "\\u007f"),
        ("\x9b", "\\u009b"),
        ("\u200b", "\\u200b"),
        ("\u2029", "\\u2029"),
        ("\u202e", "\\u202e"),
        ("\u2066", "\\u2066"),
        ("\ufeff", "\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\udfff", "\\udfff"),
        ("\U000e0041", "\\udb40\\udc41"),
    ],
)
def test_what_hides_or_turns_text_around_is_escaped(character, escaped):
    assert fence(f"a{character}b") == f'"a{escaped}b"'


@pytest.mark.parametrize(
    "text",
    [
        "é",
        "漢",
        "می\u200cخواهم",
        "👩\u200d💻",
        "♂\ufe0f",
        "a < b",
        "[1]",
        "</b>",
        "<post>",
        "[TOOLS]",
        "a\u2028b",
    ],
)
def test_what_texts_are_written_with_stays_as_it_is(text):
    assert fence(text) == f'"{text}"'


@pytest.mark.parametrize(
    "mark",
    [
        *("<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<\uff5cAssistant\uff5c>"),
        *("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"),
        *("<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<pad>", "<unk>"),
        *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
        *("[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
    ],
)
def test_the_marks_of_chat_templates_do_not_stand_in_a_fence(mark):
    fenced = fence([f"a{mark}b", {mark: mark}])
    assert mark not in fenced
    assert json.loads(fenced) == [f"a{mark}b", {mark: mark}]


def test_every_recorded_prompt_is_fenced_as_it_was():
    """The key of a recorded reply is a hash of its prompt."""
    frames = [
        read_prompt(PROMPTS / f"{name}.txt", {place}).split(f"{{{place}}}")
        for name, place in (("label", "conversation"), ("regenerate_semantic", "exchange"))
    ]
    shards = sorted((ROOT / "data" / "recorded").glob("*.parquet"))
    requests = [r for shard in shards for r in pq.read_table(shard)["request"].to_pylist()]
    contents = [json.loads(request)["messages"][0]["content"] for request in requests]
    fenced = [
        content.removeprefix(before).removesuffix(after)
        for content in contents
        for before, after in frames
        if content.startswith(before)
    ]
    assert len(fenced) >= 126 + 48  # conversations to label and exchanges to revise
    assert [text for text in fenced if fence(json.loads(text)) != text] == []
