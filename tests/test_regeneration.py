import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from dialogues import record
from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Response, Sampling
from feedback_lens.errors import InputError
from feedback_lens.prompts import read_prompt
from feedback_lens.stages.regenerate import main
from feedback_lens.tables import read_rows, write_rows
from feedback_lens.training.regeneration import (
    METHODS,
    REPLIES,
    parse_regeneration,
    read_reply,
    regenerate_replies,
    request_reply,
)
from feedback_lens.training.splits import SPLITS

PROMPTS = Path(__file__).parents[1] / "prompts"
SAMPLING = Sampling(temperature=1.0, max_tokens=1024)


RECORDED = Path(__file__).parents[1] / "data" / "recorded"
EARLIER = [
    {"role": "user", "content": "hi {exchange} <|im_end|>"},
    {"role": "assistant", "content": "hello"},
]


def row(split, name, **texts):
    texts = {"prompt": "name a fruit", "reply": "carrot", "feedback": "no, a {prompt}"} | texts
    return {"split": split, "conversation_id": name, "turn": 1, "earlier": [], **texts}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")


@pytest.mark.parametrize("split", ["neg", "pos", "rand"])
def test_a_regeneration_is_a_split_and_a_method(split):
    assert parse_regeneration(f"{split}_scratch") == (split, "scratch")
    assert parse_regeneration(f"{split}_semantic") == (split, "semantic")


@pytest.mark.parametrize("name", ["", "neg", "scratch", "neg_", "all_scratch", "neg_semantic_2"])
def test_another_name_is_an_error(name):
    with pytest.raises(
        InputError, match=rf"run\.regeneration\.regenerations: '{name}' is not <split>_<method>"
    ):
        parse_regeneration(name)


def test_scratch_sees_the_prompt_alone():
    template = read_prompt(PROMPTS / "regenerate_scratch.txt", METHODS["scratch"])
    request = request_reply(row("neg", "a"), template, "claude", SAMPLING)
    assert request.messages == ({"role": "user", "content": "name a fruit"},)
    assert (request.model, request.sampling) == ("claude", SAMPLING)


def test_semantic_sees_the_exchange_as_json():
    template = read_prompt(PROMPTS / "regenerate_semantic.txt", METHODS["semantic"])
    request = request_reply(row("neg", "a"), template, "claude", SAMPLING)
    before, after = template.split("{exchange}")
    exchange = request.messages[0]["content"].removeprefix(before).removesuffix(after)
    assert json.loads(exchange) == {
        "request": "name a fruit",
        "reply": "carrot",
        "feedback": "no, a {prompt}",
    }


def test_scratch_sees_earlier_messages_as_such():
    template = read_prompt(PROMPTS / "regenerate_scratch.txt", METHODS["scratch"])
    request = request_reply(row("neg", "a", earlier=EARLIER), template, "claude", SAMPLING)
    assert request.messages == (*EARLIER, {"role": "user", "content": "name a fruit"})
    assert (request.model, request.sampling) == ("claude", SAMPLING)


def test_semantic_sees_earlier_messages_inside_the_fence():
    template = read_prompt(PROMPTS / "regenerate_semantic_earlier.txt", METHODS["semantic"])
    request = request_reply(row("neg", "a", earlier=EARLIER), template, "claude", SAMPLING)
    (message,) = request.messages
    before, after = template.split("{exchange}")
    exchange = message["content"].removeprefix(before).removesuffix(after)
    assert "<|" not in exchange and "\n" not in exchange
    assert list(json.loads(exchange)) == ["earlier", "request", "reply", "feedback"]
    assert json.loads(exchange)["earlier"] == EARLIER
    assert '"earlier"' in before  # which the template explains


def test_without_earlier_messages_requests_are_the_recorded_ones():
    templates = [
        read_prompt(PROMPTS / f"regenerate_{method}.txt", places)
        for method, places in METHODS.items()
    ]
    before, after = templates[1].split("{exchange}")
    recorded = {r["key"]: r["request"] for f in RECORDED.glob("*.parquet") for r in read_rows(f)}
    contents = [json.loads(request)["messages"][-1]["content"] for request in recorded.values()]
    exchanges = [json.loads(c[len(before) : -len(after)]) for c in contents if c.startswith(before)]
    keys = [
        request_reply(
            row("neg", "a", prompt=e["request"], reply=e["reply"], feedback=e["feedback"]),
            template,
            "claude",
            SAMPLING,
        ).key
        for e in exchanges
        for template in templates
    ]
    assert len(keys) == 2 * 2 * 24  # by both methods: 24 rows of D_neg of two corpora
    assert set(keys) <= recorded.keys()


@pytest.mark.parametrize(
    ("response", "reply", "outcome"),
    [
        (Response("answered", "Apple."), "Apple.", "answered"),
        (Response("answered", " \n"), " \n", "unreadable"),
        (Response("answered", None), None, "unreadable"),
        (Response("cut_off", "App"), "App", "cut_off"),
        (Response("refused", None), None, "refused"),
    ],
)
def test_a_reply_keeps_its_text_and_its_outcome(response, reply, outcome):
    assert read_reply(row("neg", "a"), response, "claude") == {
        "conversation_id": "a",
        "turn": 1,
        "reply": reply,
        "outcome": outcome,
        "model": "claude",
    }


def regenerate(rows, name, source, reasks=0, prompts=PROMPTS):
    policy = AskPolicy("claude", source, SAMPLING, reasks)
    return regenerate_replies(rows, name, prompts, policy)


def test_a_blank_reply_is_asked_for_again(tmp_path):
    template = read_prompt(PROMPTS / "regenerate_scratch.txt", METHODS["scratch"])
    request = request_reply(row("neg", "a"), template, "claude", SAMPLING)
    record(tmp_path, [(request, " \n"), (replace(request, sample=1), "Apple.")])
    [reply], counts = regenerate([row("neg", "a")], "neg_scratch", tmp_path, reasks=1)
    assert (reply["reply"], reply["outcome"]) == ("Apple.", "answered")
    assert (counts["answered"], counts["unreadable"], counts["reasked"]) == (1, 0, 1)
    [reply], counts = regenerate([row("neg", "a")], "neg_scratch", tmp_path, reasks=0)
    assert (reply["reply"], reply["outcome"], counts["reasked"]) == (" \n", "unreadable", 0)


def test_the_rows_of_one_split_are_regenerated_in_their_order(tmp_path):
    rows = [row("neg", "a"), row("rand", "b"), row("neg", "c", prompt="name a nut")]
    template = read_prompt(PROMPTS / "regenerate_scratch.txt", METHODS["scratch"])
    requests = [request_reply(rows[i], template, "claude", SAMPLING) for i in (0, 2)]
    record(tmp_path, [(requests[0], "Apple."), (requests[1], "Wal", "cut_off")])
    replies, counts = regenerate(rows, "neg_scratch", tmp_path)
    assert [(r["conversation_id"], r["reply"], r["outcome"]) for r in replies] == [
        ("a", "Apple.", "answered"),
        ("c", "Wal", "cut_off"),
    ]
    assert counts["model"] == "claude"
    assert (counts["answered"], counts["cut_off"], counts["failed"]) == (1, 1, 0)
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (20, 4)
    assert (counts["calls"], counts["reasked"]) == (2, 0)
    write_rows(replies, tmp_path / "r.parquet", REPLIES)
    assert read_rows(tmp_path / "r.parquet") == replies


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("neg_scratch", ["scratch", "scratch"]),
        ("neg_semantic", ["semantic", "semantic_earlier"]),
    ],
)
def test_only_rows_with_earlier_messages_are_asked_about_with_them(tmp_path, name, files):
    rows = [row("neg", "a"), row("neg", "b", earlier=EARLIER)]
    templates = [(PROMPTS / f"regenerate_{file}.txt").read_text() for file in files]
    requests = [
        request_reply(r, template, "claude", SAMPLING)
        for r, template in zip(rows, templates, strict=True)
    ]
    record(tmp_path, [(requests[0], "Apple."), (requests[1], "Pear.")])
    replies, _ = regenerate(rows, name, tmp_path)
    assert [r["reply"] for r in replies] == ["Apple.", "Pear."]


def test_a_template_without_its_place_is_an_error(tmp_path):
    (tmp_path / "regenerate_semantic.txt").write_text("Revise {prompt}")
    with pytest.raises(InputError, match=r"regenerate_semantic\.txt: the place \{exchange\}"):
        regenerate([], "neg_semantic", tmp_path, prompts=tmp_path)


def test_splits_of_an_earlier_version_are_named_with_the_stage_that_makes_them(tmp_path):
    earlier = pa.schema([field for field in SPLITS if field.name != "earlier"])
    write_rows([{**row("neg", "a"), "user_id": None}], tmp_path / "s.parquet", earlier)
    options = {
        "splits": tmp_path / "s.parquet",
        "regeneration": "neg_scratch",
        "prompts": PROMPTS,
        "replies": tmp_path / "r.parquet",
        "counts": tmp_path / "c.json",
        "assistant": tmp_path / "assistant",
        "model": "claude",
        "temperature": 1,
        "max_tokens": 9,
        "reasoning_effort": None,
        "reasks": 0,
    }
    line = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 1
    assert "s.parquet: no column 'earlier'" in result.output
    assert "`dvc repro split` makes it again" in result.output
