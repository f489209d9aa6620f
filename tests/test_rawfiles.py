import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.errors import InputError
from feedback_lens.logs.formats import read_lmsys, read_wildchat
from feedback_lens.logs.rawfiles import read_raw_rows

ROW = {"id": "a", "messages": [{"role": "user", "content": "hi"}]}


def rows_of(path):
    return list(read_raw_rows(path))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path):
    row = {"text": "one\u2028two\u2029three\x85four\x0bfive"}
    line = json.dumps(row, ensure_ascii=False)
    path = write(tmp_path / "log.jsonl", f"{line}\r\n{line}\n\n{line}")
    # the third line is empty: no row, but it counts as a line
    assert rows_of(path) == [("log.jsonl:1", row), ("log.jsonl:2", row), ("log.jsonl:4", row)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "a"',
        b"plain text",
        b"[1, 2]",
        b'"text"',
        b"null",
        b'{"id": "\xff"}',
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"id": "a\x01b"}',
        b"\x00\x00\x00",
    ],
)
def test_a_broken_line_stops_nothing(tmp_path, line):
    path = write(tmp_path / "log.jsonl", b'{"id": 1}\n' + line + b'\n{"id": 2}\n')
    assert rows_of(path) == [
        ("log.jsonl:1", {"id": 1}),
        ("log.jsonl:2", None),
        ("log.jsonl:3", {"id": 2}),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    assert rows_of(write(tmp_path / "log.jsonl", b'\xef\xbb\xbf{"id": 1}\n'))[0][1] == {"id": 1}


@given(st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=9), min_size=1), max_size=4))
def test_what_json_wrote_comes_back(tmp_path_factory, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = write(tmp_path_factory.mktemp("log") / "log.jsonl", text)
    assert [row for _, row in read_raw_rows(path)] == rows


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_none(tmp_path_factory, content):
    path = write(tmp_path_factory.mktemp("log") / "log.jsonl", content)
    for source, row in read_raw_rows(path):
        assert source.startswith("log.jsonl:")
        assert row is None or isinstance(row, dict)


def test_a_json_list_is_read_record_by_record(tmp_path):
    path = write(tmp_path / "log.json", json.dumps([ROW, "text", ROW]))
    assert rows_of(path) == [("log.json:1", ROW), ("log.json:2", None), ("log.json:3", ROW)]


def test_csv_cells_that_hold_json_are_read_as_json(tmp_path):
    talk = [{"role": "user", "content": 'He said "hi",\nthen [left].'}]
    cell = json.dumps(talk).replace('"', '""')
    text = f'conversation_id,conversation,redacted,model,note\r\na,"{cell}",False,,[not json\r\n'
    ((source, row),) = rows_of(write(tmp_path / "log.csv", b"\xef\xbb\xbf" + text.encode()))
    assert source == "log.csv:1"
    assert row == {
        "conversation_id": "a",
        "conversation": talk,
        "redacted": False,
        "model": None,
        "note": "[not json",
    }
    assert read_lmsys(row, "lmsys").user_turns == ['He said "hi",\nthen [left].']


def test_csv_rows_that_are_too_short_or_too_long_are_rows(tmp_path):
    path = write(tmp_path / "log.csv", "id,model\na\nb,m,more\n")
    assert [row for _, row in read_raw_rows(path)] == [
        {"id": "a", "model": None},
        {"id": "b", "model": "m"},
    ]


def test_a_csv_cell_of_many_brackets_is_a_text(tmp_path):
    cell = "[" * 200_000  # longer than the csv module's own limit, deeper than Python's
    ((_, row),) = rows_of(write(tmp_path / "log.csv", f"id\n{cell}\n"))
    assert row == {"id": cell}


def test_a_csv_quote_that_is_never_closed_swallows_no_rows_in_silence(tmp_path):
    with pytest.raises(InputError, match=r"log\.csv: cannot be read as csv \(unexpected end"):
        rows_of(write(tmp_path / "log.csv", 'id,model\na,"open\nb,c\nd,e\n'))


WILDCHAT_MESSAGE = pa.struct(
    [
        ("content", pa.string()),
        ("role", pa.string()),
        ("language", pa.string()),
        ("toxic", pa.bool_()),
        ("turn_identifier", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
    ]
)
WILDCHAT = pa.schema(
    [
        ("conversation_hash", pa.string()),
        ("model", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("conversation", pa.list_(WILDCHAT_MESSAGE)),
        ("turn", pa.int64()),
        ("language", pa.string()),
        ("toxic", pa.bool_()),
        ("redacted", pa.bool_()),
        ("hashed_ip", pa.string()),
    ]
)


def test_parquet_in_wildchat_s_schema_is_read(tmp_path):
    second = 1_000_000  # microseconds
    rows = [
        {
            "conversation_hash": str(number),
            "timestamp": number * second,
            "conversation": [{"role": "user", "content": f"hi {number}"}],
            "toxic": False,
            "redacted": False,
        }
        for number in range(1030)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=WILDCHAT), tmp_path / "part-0.parquet")
    read = rows_of(tmp_path / "part-0.parquet")
    # 1030 rows are more than one batch
    assert [source for source, _ in read][-1] == "part-0.parquet:1030"
    last = read_wildchat(read[-1][1], "wildchat")
    assert (last.conversation_id, last.user_turns) == ("1029", ["hi 1029"])
    assert last.timestamp == "1970-01-01T00:17:09+00:00"  # 1029 s = 17 min 9 s


def test_a_folder_is_read_shard_by_shard_in_the_order_of_names(tmp_path):
    write(tmp_path / "b.jsonl", '{"id": 3}')
    write(tmp_path / "a" / "shard.jsonl", '{"id": 1}')
    write(tmp_path / "a" / "table.csv", "id\n2\n")
    write(tmp_path / "README.md", "not a log")
    assert rows_of(tmp_path) == [
        ("a/shard.jsonl:1", {"id": 1}),
        ("a/table.csv:1", {"id": "2"}),
        ("b.jsonl:1", {"id": 3}),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.json", "{"),
        ("log.json", '{"id": "a"}'),
        ("log.json", b"\xff"),
        ("log.json", "[" * 100_000),
        ("log.csv", b"id\n\xff\n"),
        ("log.parquet", "no parquet"),
        ("log.parquet", b""),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_named(tmp_path, name, content):
    write(tmp_path / name, content)
    with pytest.raises(InputError, match=rf"{name}: cannot be read as {name[4:]} \("):
        rows_of(tmp_path)


def test_a_log_that_is_not_there_says_what_to_set(tmp_path):
    with pytest.raises(InputError, match=r"no such log; set corpora\.<name>\.path"):
        rows_of(tmp_path / "absent")
    with pytest.raises(InputError, match=r"log\.txt: unknown kind of file; one of \.jsonl"):
        rows_of(write(tmp_path / "log.txt", "{}"))
    with pytest.raises(InputError, match=r"holds no \.jsonl, \.json"):
        rows_of(tmp_path)
