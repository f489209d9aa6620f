"""The real logs of ../shared, which are not in Git: counts by hand, no row lost."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from feedback_lens.logs.ingest import Filters, Ingest
from feedback_lens.logs.rawfiles import read_raw_rows

LOGS = Path(__file__).parents[2] / "shared" / "real" / "logs"
FILES = {"lmsys": "lmsys_schema.jsonl", "wildchat": "wildchat_schema.parquet"}
ALL = Filters((), 1, "keep", False, False, 10**9)
SAMPLE = Filters(("English",), 2, "keep", True, True, 100_000)

pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason="real logs, not in Git: ../shared")


def count(corpus, filters):
    result = Ingest(read_raw_rows(LOGS / FILES[corpus]), corpus, corpus, filters)
    return list(result), result.counts()


def test_without_filters_no_row_of_either_log_is_turned_down():
    # lmsys: 80 questions of two turns, two models; wildchat: 4 conversations of 2 user turns,
    # 102 of 3, 67 of 4, 2 of 5, 4 of 6, 1 of 7: 8 + 306 + 268 + 10 + 24 + 7 = 623
    lmsys = {"rows": 160, "kept": 160, "kept_user_turns": 320, "rejected": {}}
    wildchat = {"rows": 180, "kept": 180, "kept_user_turns": 623, "rejected": {}}
    assert count("lmsys", ALL)[1] == lmsys
    assert count("wildchat", ALL)[1] == wildchat


def test_the_sample_s_filters_leave_the_first_of_each_first_turn():
    # lmsys: each question was asked of two models
    _, lmsys = count("lmsys", SAMPLE)
    assert (lmsys["kept"], lmsys["rejected"]) == (80, {"duplicate_first_turn": 80})
    # wildchat: 175 different first turns
    _, wildchat = count("wildchat", SAMPLE)
    assert (wildchat["kept"], wildchat["rejected"]) == (175, {"duplicate_first_turn": 5})


def test_short_conversations_are_counted():
    _, counts = count("wildchat", replace(ALL, min_user_turns=4))
    # 4 of 2 and 102 of 3 user turns; 623 - 8 - 306 turns are left
    assert counts["rejected"] == {"too_few_user_turns": 106}
    assert (counts["kept"], counts["kept_user_turns"]) == (74, 309)


def test_every_lmsys_text_comes_through_unchanged():
    raw = [json.loads(line) for line in (LOGS / FILES["lmsys"]).open("rb")]
    read, _ = count("lmsys", ALL)
    assert [c.conversation_id for c in read] == [row["conversation_id"] for row in raw]
    for conversation, row in zip(read, raw, strict=True):
        assert conversation.as_row()["messages"] == row["conversation"]
        assert (conversation.model, conversation.language) == (row["model"], row["language"])


def test_every_wildchat_text_comes_through_unchanged():
    raw = pq.read_table(LOGS / FILES["wildchat"]).to_pylist()
    read, _ = count("wildchat", ALL)
    for conversation, row in zip(read, raw, strict=True):
        texts = [(message.role, message.content) for message in conversation.messages]
        assert texts == [(message["role"], message["content"]) for message in row["conversation"]]
        assert conversation.timestamp == row["timestamp"].isoformat(timespec="seconds")
