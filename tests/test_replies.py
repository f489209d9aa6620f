import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.replies import (
    object_format,
    object_schema,
    opens_quotation,
    read_object,
    verdict_line,
)


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', '```{"a": 1}```', '{"\\u0061": 1}'],
)
def test_a_reply_that_is_one_object_is_read(text):
    assert read_object(text, {"a"}) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "null",
        '["a"]',
        '{"a": 1',
        '{"a": 1} {"a": 2}',
        '{"a": 1}, {"a": 2}',
        'Fine: {"a": 1}',
        '{"a": 1} fine',
        '{"a": 1, "a": 1}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": 1, "b": 2}',
        '{"b": 2}',
        "{}",
        '{"a": NaN}',
        '{"a": -Infinity}',
        "{'a': 1}",
        '\ufeff{"a": 1}',
        '{"a": \uff11}',
        "```",
        "`````",
        '````json\n{"a": 1}\n````',
        '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
        "{" * 100_000,
        '{"a":' * 100_000,
        '{"a": ' + "9" * 5000 + "}",
        "```" + " " * 200_000 + "x```",
    ],
)
def test_anything_else_is_none(text):
    assert read_object(text, {"a"}) is None


@given(st.text() | st.text('{}[]":,a1 \n`'))
def test_any_text_is_an_object_with_the_keys_or_none(text):
    assert (read_object(text, {"a"}) or {"a": None}).keys() == {"a"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("one", "one"),
        ("one\ntwo \n\n \n", "two"),
        ("one\r\ntwo\r\n", "two"),
        ("one\u2028two", "one\u2028two"),  # no end of line to us: it stays one, and is unreadable
        ("one\n**two**", "two"),
        ("* _two_.", "two"),
        ("> two", "> two"),
        ('"two".', '"two"'),
        ("`two`", "`two`"),
    ],
)
def test_the_verdict_line_is_the_last_that_is_not_blank_without_decoration(text, line):
    assert verdict_line(text) == line


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ("", False),
        ('The "best" of `all`: ', False),
        ("It's 3 > 2: ", False),
        ('It says "', True),
        ("It says `", True),
        ("It says \u201c", True),
        ("It says \xab", True),
        ("> ", True),
    ],
)
def test_a_quotation_opens_at_a_mark_that_is_not_closed(text, opens):
    assert opens_quotation(text) is opens


def test_a_format_asks_for_exactly_its_properties():
    whole = {"type": "integer"}
    assert object_schema({"a": whole}) == {
        "type": "object",
        "properties": {"a": whole},
        "required": ["a"],
        "additionalProperties": False,
    }
    named = object_format("n", {"a": whole})
    assert named["type"] == "json_schema"
    assert named["json_schema"] == {
        "name": "n",
        "strict": True,
        "schema": object_schema({"a": whole}),
    }
    assert json.loads(json.dumps(named)) == named
