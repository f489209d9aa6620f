import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_lens.errors import InputError
from feedback_lens.tables import (
    BATCH_ROWS,
    read_frame,
    read_json,
    read_rows,
    replaced,
    stream_rows,
    write_json,
    write_rows,
)

SCHEMA = pa.schema([("name", pa.string()), ("turn", pa.int32()), ("tags", pa.list_(pa.string()))])
ROWS = [{"name": "a\u2028b", "turn": 2, "tags": ["x"]}, {"name": None, "turn": 3, "tags": []}]


def test_rows_come_back_as_they_were_written(tmp_path):
    write_rows(ROWS, tmp_path / "new" / "t.parquet", SCHEMA)
    assert read_rows(tmp_path / "new" / "t.parquet") == ROWS
    assert read_rows(tmp_path / "new" / "t.parquet", ["turn"]) == [{"turn": 2}, {"turn": 3}]
    assert read_frame(tmp_path / "new" / "t.parquet")["turn"].tolist() == [2, 3]


def test_a_table_has_its_columns_even_without_rows(tmp_path):
    write_rows([], tmp_path / "t.parquet", SCHEMA)
    assert pq.read_schema(tmp_path / "t.parquet") == SCHEMA
    assert read_rows(tmp_path / "t.parquet") == []


def test_rows_are_written_in_batches_and_all_of_them(tmp_path):
    count = BATCH_ROWS + 1
    rows = ({"name": str(i), "turn": i, "tags": None} for i in range(count))
    write_rows(rows, tmp_path / "t.parquet", SCHEMA)
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert (file.num_row_groups, file.metadata.num_rows) == (2, count)


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_rows(iter(ROWS), tmp_path / name, SCHEMA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_error_in_the_middle_leaves_the_old_table_and_no_rest(tmp_path):
    def broken():
        yield from ROWS
        raise InputError("unreadable")

    path = tmp_path / "t.parquet"
    write_rows(ROWS, path, SCHEMA)
    with pytest.raises(InputError, match="unreadable"):
        write_rows(broken(), path, SCHEMA)
    assert read_rows(path) == ROWS
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_a_file_is_replaced_and_never_edited_in_place(tmp_path):
    # DVC may have linked the old bytes into its cache: they must stay as they are
    path, link = tmp_path / "out", tmp_path / "cache"
    path.write_text("old")
    link.hardlink_to(path)
    with replaced(path) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), link.read_text()) == ("new", "old")


def test_a_missing_or_damaged_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.parquet: no such table; `dvc repro` makes it"):
        read_rows(tmp_path / "absent.parquet")
    (tmp_path / "bad.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"bad\.parquet: not a readable Parquet table"):
        read_frame(tmp_path / "bad.parquet")


@pytest.mark.parametrize("read", [read_rows, read_frame, lambda *a: list(stream_rows(*a))])
def test_a_table_of_an_earlier_version_is_named_with_what_makes_it_again(tmp_path, read):
    write_rows(ROWS, tmp_path / "t.parquet", SCHEMA)
    message = r"t\.parquet: no column 'a', 'b' \(of an earlier version\?\); `dvc repro` makes it"
    with pytest.raises(InputError, match=message):
        read(tmp_path / "t.parquet", ["turn", "a", "b"])
    with pytest.raises(InputError, match=r"; `dvc repro split` makes it again$"):
        read_rows(tmp_path / "t.parquet", ["a"], "`dvc repro split` makes it again")


def test_metrics_are_rounded_to_six_digits_at_every_depth(tmp_path):
    path = tmp_path / "m.json"
    write_json({"a": {"b": 1 / 3}, "n": 12345678, "none": None, 2: [2 / 3], "ä": True}, path)
    expected = {"a": {"b": 0.333333}, "n": 12345678, "none": None, "2": [0.666667], "ä": True}
    assert read_json(path) == expected
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert "ä" in path.read_text(encoding="utf-8")


def test_a_metric_that_is_no_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"mean": float("nan")}, tmp_path / "m.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [("[1]", "a JSON object is wanted, found list"), ("{", "not JSON"), ("\xff", "not JSON")],
)
def test_a_file_that_is_no_json_object_is_named(tmp_path, content, message):
    (tmp_path / "m.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=rf"m\.json: {message}"):
        read_json(tmp_path / "m.json")
    with pytest.raises(InputError, match=r"absent\.json: no such file"):
        read_json(tmp_path / "absent.json")


def test_metrics_are_readable_by_any_json_reader(tmp_path):
    write_json({"reply": "a\u2028\ud800b".replace("\ud800", "?")}, tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_bytes()) == {"reply": "a\u2028?b"}
