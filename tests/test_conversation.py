import pytest

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import CONVERSATIONS, Message, read_conversations
from feedback_lens.tables import write_rows


def test_turns_and_replies_are_told_apart():
    conversation = dialogue("a", "u1", "m1", "u2", "m2", "u3")
    assert conversation.user_turns == ["u1", "u2", "u3"]
    assert conversation.replies == ["m1", "m2"]
    assert conversation.messages[1] == Message("assistant", "m1")


def test_conversations_come_back_as_they_were_written(tmp_path):
    written = [
        dialogue(
            str(number),
            "u\u2028",
            "m\n",
            model="vicuna-7b",
            language="English",
            user_id="f00",
            timestamp="2023-09-15T18:00:30+00:00",
            toxic=True,
            redacted=False,
        )
        for number in range(1500)  # more than one batch
    ] + [dialogue("last", "u1")]
    path = tmp_path / "c.parquet"
    write_rows((conversation.as_row() for conversation in written), path, CONVERSATIONS)
    assert list(read_conversations(path)) == written


def test_a_missing_or_damaged_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.parquet: no such table; `dvc repro ingest`"):
        list(read_conversations(tmp_path / "absent.parquet"))
    (tmp_path / "bad.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"bad\.parquet: not a readable Parquet table"):
        list(read_conversations(tmp_path / "bad.parquet"))
