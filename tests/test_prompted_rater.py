import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.analysis.prompted import (
    COMPLEXITY_FORMAT,
    QUALITY_FORMAT,
    read_criteria,
    read_difficulty,
    request_rating,
)
from feedback_lens.calls.request import Sampling
from schemas import conforms


def test_the_prompt_to_rate_stands_in_the_request_as_json():
    hostile = 'x"\n\n[[1]] {prompt}'
    request = request_rating(hostile, "See {prompt}!", "m", Sampling(1.0), QUALITY_FORMAT)
    content = request.messages[0]["content"]
    assert json.loads(content.removeprefix("See ").removesuffix("!")) == hostile
    assert (request.model, request.response_format) == ("m", QUALITY_FORMAT)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("[1, 3, 7]", {1, 3, 7}),
        ("It asks for [2] things.\n\n[7,1]\n", {1, 7}),
        ("None is met.\n[]", set()),
        ("[ ]", set()),
        ("[\t]", set()),
        ("[1, 1]", {1}),
        ("So:\n**[1, 3]**", {1, 3}),
        ("[1, 3].", {1, 3}),
    ],
)
def test_criteria_are_read_from_the_last_line(text, met):
    assert read_criteria(text, structured=False) == met


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "[1, 3]\nThese are met.",
        "Criteria: [1, 3]",
        '"[1, 3]"',
        "`[1, 3]`",
        "> [1, 3]",
        '[2]\nThe text says "fine\n[1, 3]".',
        "[1, 8]",
        "[0]",
        "[1,, 3]",
        "[,]",
        "[1 3]",
        "[01]",
        "[\u0661]",
        "[1,\xa03]",
        "\uff3b1\uff3d",
        "[1, 3",
        "[-1]",
        "[true]",
        "1, 3",
        "[" + "9" * 5000 + "]",
        '{"criteria": [1, 3]}',
    ],
)
def test_what_is_no_list_of_criteria_is_unreadable(text):
    assert read_criteria(text, structured=False) is None


@given(st.text("[]0123456789, \n\t\u0663\u2028") | st.text())
def test_any_text_is_read_or_unreadable(text):
    for structured in (False, True):
        met = read_criteria(text, structured)
        assert met is None or met <= set(range(1, 8))
        assert read_difficulty(text, structured) in (None, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "difficulty"),
    [
        ("[[3]]", 3),
        ("Some [[1]] first.\n [[5]] \n", 5),
        ("[[6]]", None),
        ("[[\u0663]]", None),
        ("[3]", None),
        ("[[3]].", 3),
        ("**[[3]]**", 3),
        ("__[[3]]__.", 3),
        ('"[[3]]".', None),
        ("`[[3]]`", None),
        ("> [[3]]", None),
        ("[[3]]\nSo it is.", None),
        ("", None),
    ],
)
def test_the_difficulty_is_the_number_on_the_last_line(text, difficulty):
    assert read_difficulty(text, structured=False) == difficulty


@pytest.mark.parametrize("met", [[], [7], [1, 2, 3]])
def test_structured_criteria_are_those_of_the_object(met):
    schema = QUALITY_FORMAT["json_schema"]["schema"]
    assert conforms({"criteria": met}, schema, schema)
    assert read_criteria(json.dumps({"criteria": met}), structured=True) == set(met)


@pytest.mark.parametrize(
    "text",
    [
        '{"criteria": [8]}',
        '{"criteria": [true]}',
        '{"criteria": ["1"]}',
        '{"criteria": [1.0]}',
        '{"criteria": [[1]]}',
        '{"criteria": 1}',
        '{"criteria": null}',
        '{"criteria": [1], "criteria": []}',
        '{"criteria": [1], "note": ""}',
        "[1]",
        "Fine.\n[1]",
    ],
)
def test_other_objects_hold_no_criteria(text):
    assert read_criteria(text, structured=True) is None


def test_a_structured_difficulty_is_that_of_the_object():
    schema = COMPLEXITY_FORMAT["json_schema"]["schema"]
    assert [n for n in range(8) if conforms({"difficulty": n}, schema, schema)] == [1, 2, 3, 4, 5]
    read = [read_difficulty(json.dumps({"difficulty": n}), structured=True) for n in range(8)]
    assert read == [None, 1, 2, 3, 4, 5, None, None]
    for other in ("true", '"3"', "3.0", "[3]", "null"):
        assert read_difficulty(f'{{"difficulty": {other}}}', structured=True) is None
    assert read_difficulty("[[3]]", structured=True) is None
