import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.errors import InputError
from feedback_lens.prompts import fence, read_prompt, render

PROMPTS = Path(__file__).parents[1] / "prompts"
PLACES = {
    "judge_mt_bench": {"dialogue"},
    "judge_wildbench": {"dialogue"},
    "label": {"conversation"},
    "rate_complexity": {"prompt"},
    "rate_quality": {"prompt"},
    "regenerate_scratch": {"prompt"},
    "regenerate_semantic": {"exchange"},
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


@given(st.text())
def test_fenced_text_is_one_json_string_that_it_cannot_leave(text):
    prompt = render("Before\n{prompt}\nAfter {prompt", {"prompt": fence(text)})
    middle = prompt.removeprefix("Before\n").removesuffix("\nAfter {prompt")
    assert json.loads(middle) == text
    assert "\n" not in middle
