import json

import pytest

from feedback_lens.errors import InputError
from feedback_lens.logs.samples import read_samples


def line(name, identifier, text="hi"):
    return json.dumps({name: identifier, "conversation": [{"role": "user", "content": text}]})


def test_well_formed_conversations_of_all_logs_are_read_unfiltered(tmp_path):
    lmsys = [line("conversation_id", "a"), "{", line("conversation_id", "b", " ")]
    lmsys += [line("conversation_id", "a", "again")]
    (tmp_path / "lmsys.jsonl").write_text("\n".join(lmsys))
    (tmp_path / "wildchat.jsonl").write_text(line("conversation_hash", "c"))
    (tmp_path / "notes.jsonl").write_text(line("conversation_id", "d"))
    conversations = read_samples(tmp_path)
    # the first of two with one id stays
    found = [(c.conversation_id, c.corpus, c.user_turns) for c in conversations]
    assert found == [("a", "lmsys", ["hi"]), ("c", "wildchat", ["hi"])]


def test_a_folder_without_logs_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"holds no log; one of lmsys, wildchat, .*\.jsonl"):
        read_samples(tmp_path)
