import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import read_conversations
from feedback_lens.logs.ingest import Filters, Ingest, find_reason
from feedback_lens.stages.ingest import main
from feedback_lens.tables import read_rows

ALL = Filters((), 1, "keep", False, False, 1000)


def row(identifier, *texts, **metadata):
    roles = ("user", "assistant") * len(texts)
    messages = [{"role": r, "content": t} for r, t in zip(roles, texts, strict=False)]
    return {"id": identifier, "messages": messages, **metadata}


def ingest(rows, filters=ALL, log_format="messages"):
    sources = ((f"log:{number}", row) for number, row in enumerate(rows, start=1))
    result = Ingest(sources, log_format, "ours", filters)
    return [conversation.conversation_id for conversation in result], result


def test_every_row_is_kept_or_has_its_reason():
    rows = [row("a", "u1", "m1", "u2"), None, {"messages": []}, row("b", " "), row("c", "u")]
    kept, result = ingest(rows)
    assert kept == ["a", "c"]
    assert result.rejects == [
        {"source": "log:2", "conversation_id": None, "reason": "not_a_json_object"},
        {"source": "log:3", "conversation_id": None, "reason": "missing_id"},
        {"source": "log:4", "conversation_id": None, "reason": "empty_user_turn"},
    ]
    assert result.counts() == {
        "rows": 5,
        "kept": 2,
        "kept_user_turns": 3,
        "rejected": {"empty_user_turn": 1, "missing_id": 1, "not_a_json_object": 1},
    }


def test_of_conversations_with_the_same_id_or_first_turn_the_first_stays():
    rows = [row("a", "hi"), row("a", "ho"), row("b", " hi\n"), row("c", "Hi")]
    unique, result = ingest(rows, replace(ALL, drop_duplicate_first_turns=True))
    assert unique == ["a", "c"]
    assert [reject["reason"] for reject in result.rejects] == [
        "duplicate_id",
        "duplicate_first_turn",
    ]
    assert result.rejects[1]["conversation_id"] == "b"
    assert ingest(rows)[0] == ["a", "b", "c"]


def test_a_conversation_that_a_filter_turned_down_makes_no_duplicates():
    rows = [row("a", "hi", toxic=True), row("a", "hi")]
    filters = replace(ALL, toxic="drop", drop_duplicate_first_turns=True)
    assert ingest(rows, filters)[0] == ["a"]


@pytest.mark.parametrize(
    ("filters", "metadata", "reason"),
    [
        ({"languages": ("English",)}, {"language": "German"}, "other_language"),
        ({"languages": ("English",)}, {"language": None}, None),
        ({"languages": ("English", "German")}, {"language": "German"}, None),
        ({"languages": ()}, {"language": "German"}, None),
        ({"min_user_turns": 3}, {}, "too_few_user_turns"),
        ({"min_user_turns": 2}, {}, None),
        ({"drop_redacted": True}, {"redacted": True}, "redacted"),
        ({"drop_redacted": True}, {"redacted": None}, None),
        ({"drop_redacted": False}, {"redacted": True}, None),
        ({"toxic": "drop"}, {"toxic": True}, "toxic"),
        ({"toxic": "drop"}, {"toxic": None}, None),
        ({"toxic": "only"}, {"toxic": None}, "not_toxic"),
        ({"toxic": "only"}, {"toxic": True}, None),
        ({"toxic": "keep"}, {"toxic": True}, None),
        ({"max_characters": 6}, {}, None),  # u1, m1, u2 are 6 characters
        ({"max_characters": 5}, {}, "too_long"),
    ],
)
def test_each_filter_turns_down_what_it_names(filters, metadata, reason):
    conversation = dialogue("a", "u1", "m1", "u2", **metadata)
    assert find_reason(conversation, replace(ALL, **filters)) == reason


def test_an_unknown_format_is_an_error():
    with pytest.raises(InputError, match=r"corpora\.ours\.format: unknown format 'slack'; one of"):
        ingest([], log_format="slack")


@pytest.mark.parametrize("broken", [[], [None]])
def test_a_log_in_another_format_is_one_clear_error(broken):
    rows = [*broken, row("a", "hi"), row("b", "ho")]
    with pytest.raises(InputError, match=r"not one of \d rows .*'sharegpt'.*corpora\.ours\.format"):
        ingest(rows, log_format="sharegpt")[1].check_kept()
    with pytest.raises(InputError, match=r"'lmsys' \(missing_id.*first at log:1"):
        ingest(rows, log_format="lmsys")[1].check_kept()


def test_a_log_of_which_nothing_is_kept_is_an_error_with_the_counts():
    kept, result = ingest([row("a", "hi"), None], replace(ALL, min_user_turns=2))
    assert (kept, result.counts()["rows"]) == ([], 2)
    with pytest.raises(InputError, match="not_a_json_object 1, too_few_user_turns 1, first at"):
        result.check_kept()
    assert ingest([])[1].counts() == {"rows": 0, "kept": 0, "kept_user_turns": 0, "rejected": {}}


TEXTS = st.lists(st.sampled_from(["hi", "ho", ""]), max_size=4)
ROWS = st.none() | st.builds(
    lambda i, texts: row(i, *texts), st.sampled_from(["a", "b", ""]), TEXTS
)


@given(st.lists(ROWS, max_size=8), st.booleans())
def test_kept_and_rejected_rows_add_up(rows, unique):
    filters = replace(ALL, drop_duplicate_first_turns=unique)
    # a well-formed row that is kept: without one the log may be taken for another format
    kept, result = ingest([row("first", "hey"), *rows], filters)
    counts = result.counts()
    assert counts["rows"] == 1 + len(rows) == counts["kept"] + sum(counts["rejected"].values())
    assert len(kept) == len(set(kept)) == counts["kept"]


def test_the_stage_writes_conversations_rejects_and_counts(tmp_path):
    lines = [json.dumps(row("a", "u1", "m1", "u2")), "{", json.dumps(row("b", "u1"))]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    options = {"log": "log.jsonl", "conversations": "c", "rejects": "r", "metrics": "m"}
    words = [w for name, path in options.items() for w in (f"--{name}", str(tmp_path / path))]
    words += ["--format", "messages", "--corpus", "ours", "--min_user_turns", "2"]
    words += ["--toxic", "keep", "--no-drop_redacted", "--drop_duplicate_first_turns"]
    result = CliRunner().invoke(main, [*words, "--max_characters", "99"])
    assert result.exit_code == 0, result.output
    assert [c.conversation_id for c in read_conversations(tmp_path / "c")] == ["a"]
    assert [(r["source"], r["reason"]) for r in read_rows(tmp_path / "r")] == [
        ("log.jsonl:2", "not_a_json_object"),
        ("log.jsonl:3", "too_few_user_turns"),
    ]
    counts = json.loads((tmp_path / "m").read_text())
    assert counts["rejected"] == {"not_a_json_object": 1, "too_few_user_turns": 1}
