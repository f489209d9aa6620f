"""The loopback endpoint gives the structured output that a request asks for."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from endpoint import Endpoint, serve
from faults import always
from loopback_client import ask
from roles import PROMPTS
from schemas import fit_format

RATING: dict[str, Any] = {
    "type": "object",
    "properties": {"rating": {"type": "integer", "minimum": 1, "maximum": 10}},
    "required": ["rating"],
    "additionalProperties": False,
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as server:
        yield server


def ask_in_format(server: Endpoint, prompt: str, schema: dict[str, Any]) -> Any:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    messages = [{"role": "user", "content": prompt}]
    return json.loads(
        ask(server, messages=messages, response_format=form).choices[0].message.content
    )


def test_a_reply_that_fits_the_schema_stays_as_it_is(server: Endpoint) -> None:
    turns = json.dumps([{"turn": 1, "user": "a"}, {"turn": 2, "user": "b"}])
    prompt = (PROMPTS / "label.txt").read_text(encoding="utf-8").replace("{conversation}", turns)
    label = {
        "type": "object",
        "properties": {"turn": {"type": "integer"}, "label": {"type": "string"}},
        "required": ["turn", "label"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"labels": {"type": "array", "items": {"$ref": "#/$defs/label"}}},
        "required": ["labels"],
        "$defs": {"label": label},
    }
    plain = ask(server, messages=[{"role": "user", "content": prompt}]).choices[0].message.content
    assert [row["turn"] for row in json.loads(plain)["labels"]] == [2]
    assert ask_in_format(server, prompt, schema) == json.loads(plain)


def test_a_reply_in_words_becomes_the_smallest_json_of_the_schema(server: Endpoint) -> None:
    assert ask_in_format(server, "Rate this.", RATING) == {"rating": 1}
    text = {"type": "string"}
    option = {"anyOf": [{"type": "null"}, text]}
    schema = {
        "type": "object",
        "properties": {
            "verdict": {"enum": ["A", "B"]},
            "notes": {"type": "array", "items": text, "minItems": 2},
            "share": {"type": ["number", "null"]},
            "fine": {"type": "boolean"},
            "kind": {"const": "k"},
            "extra": option,
            "optional": text,
        },
        "required": ["verdict", "notes", "share", "fine", "kind", "extra"],
    }
    assert ask_in_format(server, "Rate this.", schema) == {
        "verdict": "A",
        "notes": ["", ""],
        "share": 0,
        "fine": False,
        "kind": "k",
        "extra": None,
    }


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ('{"rating": 7}', True),
        ('{"rating": 11}', False),
        ('{"rating": true}', False),
        ('{"rating": "7"}', False),
        ('{"rating": 7, "more": 1}', False),
        ("{}", False),
        ("[7]", False),
    ],
)
def test_a_reply_is_held_against_the_schema(said: str, fits: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": RATING}}
    assert fit_format(said, form) == (said if fits else '{"rating": 1}')


def test_a_json_object_is_given_where_one_is_asked_for(server: Endpoint) -> None:
    content = ask(server, response_format={"type": "json_object"}).choices[0].message.content
    assert json.loads(content) == {}


def test_log_probabilities_come_where_they_are_asked_for(server: Endpoint) -> None:
    server.reply = lambda body: "Fine, 👋"
    [choice] = ask(server, logprobs=True).choices
    found = [(entry.token, entry.logprob, entry.bytes) for entry in choice.logprobs.content]
    # -0.1 a byte; the hand is the bytes 240, 159, 145, 139, in two tokens
    assert found == [
        ("Fine", -0.4, [70, 105, 110, 101]),
        (",", -0.1, [44]),
        (" ", -0.1, [32]),
        ("\\xf0", -0.1, [240]),
        ("\\x9f\\x91\\x8b", -0.3, [159, 145, 139]),
    ]
    assert choice.logprobs.refusal is None
    assert ask(server).choices[0].logprobs is None


def test_those_of_a_refusal_stand_apart(server: Endpoint) -> None:
    server.plan = always("refusal")
    [choice] = ask(server, logprobs=True).choices
    assert choice.logprobs.content is None
    assert "".join(entry.token for entry in choice.logprobs.refusal) == choice.message.refusal


def test_a_server_may_ignore_that_they_are_asked_for(server: Endpoint) -> None:
    server.plan = always("no_logprobs")
    assert ask(server, logprobs=True).choices[0].logprobs is None


def test_asking_for_them_in_words_is_refused(server: Endpoint) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(server, logprobs="yes")
    assert caught.value.param == "logprobs"
