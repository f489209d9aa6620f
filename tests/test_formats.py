import json
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.logs.conversation import CONVERSATIONS, Message
from feedback_lens.logs.formats import FORMATS, MalformedRow

TALK = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
MESSAGES = (Message("user", "hi"), Message("assistant", "hello"))


def read(log_format, row):
    return FORMATS[log_format](row, "corpus")


def read_talk(messages, **metadata):
    return read("messages", {"id": "a", "messages": messages, **metadata})


def test_lmsys_rows_are_read():
    row = {
        "conversation_id": "a",
        "model": "vicuna-13b",
        "conversation": TALK,
        "turn": 1,
        "language": "English",
        "openai_moderation": [{"flagged": False}, {"flagged": True}],
        "redacted": False,
    }
    conversation = read("lmsys", row)
    assert conversation.conversation_id == "a"
    assert conversation.corpus == "corpus"
    assert (conversation.model, conversation.language) == ("vicuna-13b", "English")
    assert (conversation.toxic, conversation.redacted) == (True, False)
    assert (conversation.user_id, conversation.timestamp) == (None, None)
    assert conversation.messages == MESSAGES


def test_wildchat_rows_are_read():
    row = {
        "conversation_hash": "b",
        "model": "gpt-4",
        "timestamp": datetime(2023, 4, 9, 2, 2, 53, tzinfo=timezone(timedelta(hours=2))),
        "conversation": [{**m, "turn_identifier": 1, "toxic": False} for m in TALK],
        "language": "English",
        "toxic": True,
        "redacted": True,
        "hashed_ip": "f00",
    }
    conversation = read("wildchat", row)
    assert (conversation.conversation_id, conversation.user_id) == ("b", "f00")
    assert conversation.timestamp == "2023-04-09T00:02:53+00:00"
    assert (conversation.toxic, conversation.redacted) == (True, True)
    assert conversation.messages == MESSAGES


def test_the_published_gold_sets_are_read():
    row = {"conversation_id": 7, "dataset_source": "lmsys", "conversation": TALK}
    conversation = read("multiturn_feedback", row)
    assert (conversation.conversation_id, conversation.messages) == ("7", MESSAGES)


def test_one_s_own_logs_are_read():
    assert read_talk(TALK).messages == MESSAGES
    assert read_talk(TALK, language="English", user_id=5).user_id == "5"


def test_sharegpt_rows_are_read():
    talk = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
    assert read("sharegpt", {"id": "a", "conversations": talk}).messages == MESSAGES


def test_system_messages_are_no_part_of_the_dialogue():
    system = {"role": "system", "content": "You are ..."}
    assert read_talk([system, *TALK, system]).messages == MESSAGES


def test_the_last_reply_may_be_missing_and_a_reply_may_be_empty():
    assert read_talk(TALK[:1]).replies == []
    assert read_talk([TALK[0], {"role": "assistant", "content": None}]).replies == [""]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (None, "no_messages"),
        ([], "no_messages"),
        ("hi", "no_messages"),
        ({"role": "user"}, "no_messages"),
        ([{"role": "system", "content": "x"}], "no_messages"),
        (["hi"], "message_is_no_object"),
        ([{"content": "hi"}], "missing_role"),
        ([{"role": "", "content": "hi"}], "missing_role"),
        ([{"role": "robot", "content": "hi"}], "unknown_role"),
        ([{"role": ["user"], "content": "hi"}], "unknown_role"),
        ([{"role": "user", "content": ["hi"]}], "content_is_no_text"),
        ([{"role": "user", "content": 5}], "content_is_no_text"),
        (TALK[::-1], "roles_do_not_alternate"),
        ([TALK[0], TALK[0]], "roles_do_not_alternate"),
        ([{"role": "user", "content": " \n\u3000"}], "empty_user_turn"),
        ([*TALK, {"role": "user"}], "empty_user_turn"),
    ],
)
def test_a_row_without_a_dialogue_has_its_reason(messages, reason):
    with pytest.raises(MalformedRow, match=f"^{reason}$"):
        read_talk(messages)


@pytest.mark.parametrize("identifier", [None, "", True, 1.5, ["a"], {"a": 1}])
def test_a_row_without_an_id_is_malformed(identifier):
    with pytest.raises(MalformedRow, match="missing_id"):
        read("messages", {"id": identifier, "messages": TALK})


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"model": ["gpt-4"]}, "metadata_is_no_text"),
        ({"language": {"code": "en"}}, "metadata_is_no_text"),
        ({"toxic": "perhaps"}, "flag_is_no_boolean"),
        ({"redacted": [True]}, "flag_is_no_boolean"),
    ],
)
def test_metadata_of_a_wrong_type_is_a_reason(metadata, reason):
    with pytest.raises(MalformedRow, match=reason):
        read_talk(TALK, **metadata)


@pytest.mark.parametrize("moderation", ["flagged", {"flagged": True}, 1])
def test_moderation_that_is_no_list_is_a_reason(moderation):
    with pytest.raises(MalformedRow, match="moderation_is_no_list"):
        read(
            "lmsys", {"conversation_id": "a", "conversation": TALK, "openai_moderation": moderation}
        )


def test_moderation_that_is_missing_tells_nothing():
    row = {"conversation_id": "a", "conversation": TALK}
    assert read("lmsys", row).toxic is None
    assert read("lmsys", {**row, "openai_moderation": [None, {}]}).toxic is False


@pytest.mark.parametrize(
    ("value", "flag"),
    [(None, None), (True, True), ("False", False), ("TRUE", True), (1, True), (0.0, False)],
)
def test_booleans_are_read_in_the_spellings_of_tables(value, flag):
    assert read_talk(TALK, toxic=value).toxic is flag


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (1_000_000_000, "2001-09-09T01:46:40+00:00"),
        ("2023-09-15T20:00:30+02:00", "2023-09-15T18:00:30+00:00"),
        ("2023-09-15 18:00:30Z", "2023-09-15T18:00:30+00:00"),
        (datetime(2023, 9, 15, 18, 0, 30, 999, tzinfo=UTC), "2023-09-15T18:00:30+00:00"),
        (None, None),
        ("yesterday", None),
        (1e300, None),
        (float("nan"), None),
        (["2023"], None),
    ],
)
def test_times_are_iso_8601_in_utc_or_unknown(value, time):
    assert read_talk(TALK, timestamp=value).timestamp == time


def test_the_machine_s_time_zone_changes_nothing(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        for naive in ("2023-09-15T18:00:30", datetime(2023, 9, 15, 18, 0, 30)):
            assert read_talk(TALK, timestamp=naive).timestamp == "2023-09-15T18:00:30+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_lone_surrogate_becomes_a_question_mark_wherever_it_stands():
    row = json.loads(
        '{"id": "a\\ud800", "model": "\\udfff", "user_id": "\\ud800",'
        ' "messages": [{"role": "user", "content": "so \\ud83d sad \\ud83d\\ude00"}]}'
    )
    conversation = read("messages", row)
    assert conversation.user_turns == ["so ? sad 😀"]
    assert (conversation.conversation_id, conversation.model) == ("a?", "?")
    assert conversation.user_id == "?"


HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=5)  # lone surrogates among them
    | st.sampled_from(["user", "assistant", "system", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries({}, optional=dict.fromkeys(("role", "content", "flagged"), inner))
    ),
    max_leaves=8,
)
FIELDS = (
    "id",
    "conversation_id",
    "conversation_hash",
    "messages",
    "conversation",
    "conversations",
    "model",
    "language",
    "toxic",
    "redacted",
    "timestamp",
    "tstamp",
    "hashed_ip",
    "user_id",
    "openai_moderation",
)


@given(
    st.sampled_from(sorted(FORMATS)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, HOSTILE)),
    st.booleans(),
)
def test_whatever_a_row_holds_it_is_writable_or_has_a_reason(log_format, row, well_formed):
    if well_formed:
        talk = [{"role": "user", "content": "hi", "from": "human", "value": "hi"}]
        row = row | dict.fromkeys(("messages", "conversation", "conversations"), talk)
        row = row | dict.fromkeys(("id", "conversation_id", "conversation_hash"), "a")
    try:
        conversation = read(log_format, row)
    except MalformedRow as reason:
        assert str(reason).replace("_", "").isalpha()
    else:
        pa.Table.from_pylist([conversation.as_row()], schema=CONVERSATIONS)
