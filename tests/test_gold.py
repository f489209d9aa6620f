import pytest

from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.annotators import (
    check_turns,
    read_annotations,
    read_annotators,
    read_gold,
    reduce_gold,
)

HEADER = "conversation_id,turn,labels\n"


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "gold.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_labels_are_read_by_conversation_and_turn(tmp_path):
    path = write(tmp_path, HEADER + "a,2,NEG_3|NEG_4\na,3,NEU\n")
    assert read_gold(path) == {("a", 2): ("NEG_3", "NEG_4"), ("a", 3): ("NEU",)}


def test_several_labels_reduce_by_the_paper_s_priority(tmp_path):
    path = write(tmp_path, HEADER + "a,2,NEG_4|NEG_3\na,3,NEG_1|NEG_2\n")
    assert reduce_gold(read_gold(path)) == {("a", 2): "NEG_3", ("a", 3): "NEG_2"}


def test_files_of_spreadsheet_programs_are_read(tmp_path):
    text = 'turn,labels,conversation_id,remark\r\n2,NEG_1 | NEG_2,a,"one, two"\r\n'
    assert read_gold(write(tmp_path, text, "utf-8-sig")) == {("a", 2): ("NEG_1", "NEG_2")}


def test_a_label_in_a_column_without_a_name_is_not_lost_in_silence(tmp_path):
    header = "conversation_id,turn,labels,,\n"  # as wide as the longest row
    assert read_gold(write(tmp_path, header + "a,2,NEU,,\n")) == {("a", 2): ("NEU",)}
    with pytest.raises(InputError, match="line 3: 5 cells, 3 wanted; join labels with"):
        read_gold(write(tmp_path, header + "a,2,NEU,,\nb,2,NEG_3,POS,\n"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,2,NEG_9\n", "line 2: label 'NEG_9' is unknown; one of NEG_1, "),
        ("a,2,NEU\na,3,\n", "line 3: label '' is unknown"),
        ("a,two,NEU\n", "line 2: turn 'two'; the 1-based number"),
        ("a,2.0,NEU\n", "line 2: turn '2.0'"),
        ("a,1,NEU\n", "line 2: turn '1'"),
        (",2,NEU\n", "line 2: no conversation_id"),
        ("a\n", "line 2: turn None"),
        ("a,2,NEG_3,POS\n", "line 2: 4 cells, 3 wanted; join labels with |"),
        ("a,2,NEU\na,2,NEU\n", "line 3: conversation 'a', turn 2 stands twice"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, rows, message):
    path = write(tmp_path, HEADER + rows)
    with pytest.raises(InputError) as caught:
        read_gold(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_column_is_named(tmp_path):
    path = write(tmp_path, "conversation_id,turn,label\na,2,NEU\n")
    with pytest.raises(InputError, match=r"gold\.csv: line 1: no column labels; the first line is"):
        read_gold(path)


def test_an_empty_file_lacks_its_columns(tmp_path):
    with pytest.raises(InputError, match="no column conversation_id, labels, turn"):
        read_gold(write(tmp_path, ""))


def test_files_that_are_no_csv_are_named(tmp_path):
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_gold(write(tmp_path, HEADER + "ä,2,NEU\n", "latin-1"))
    with pytest.raises(InputError, match=r"absent\.csv: no such gold labels"):
        read_gold(tmp_path / "absent.csv")


def test_each_file_of_a_folder_is_an_annotator_and_gold_is_first(tmp_path):
    (tmp_path / "anna.csv").write_text(HEADER + "b,2,NEG_1|NEG_2\n")
    (tmp_path / "gold.csv").write_text(HEADER + "b,2,POS\n")
    (tmp_path / "notes.txt").write_text("not a label")
    annotators = read_annotators(tmp_path)
    assert list(annotators) == ["gold", "anna"]
    assert annotators["anna"]["b", 2].labels == ("NEG_1", "NEG_2")


def test_a_folder_without_gold_is_an_error(tmp_path):
    (tmp_path / "anna.csv").write_text(HEADER + "b,2,POS\n")
    with pytest.raises(InputError, match=r"gold\.csv: no such gold labels; annotate turns"):
        read_annotators(tmp_path)
    with pytest.raises(InputError, match=r"anna\.csv/gold\.csv: no such gold labels"):
        read_annotators(tmp_path / "anna.csv")


def test_gold_for_a_turn_that_the_log_lacks_is_named_with_its_line(tmp_path):
    path = write(tmp_path, HEADER + "a,2,NEU\na,3,NEU\n")
    annotations = read_annotations(path)
    check_turns(annotations, {"a": 3}, tmp_path / "log.jsonl")
    with pytest.raises(InputError) as caught:
        check_turns(annotations, {"a": 2}, tmp_path / "log.jsonl")
    assert str(caught.value).startswith(
        f"{path}: line 3: {tmp_path}/log.jsonl holds no turn 3 in conversation 'a', which has 2 user"
    )


def test_gold_for_a_conversation_that_the_log_lacks_is_named_with_its_line(tmp_path):
    path = write(tmp_path, HEADER + "b,2,NEU\n")
    with pytest.raises(InputError) as caught:
        check_turns(read_annotations(path), {"a": 3}, tmp_path / "log.jsonl")
    assert "line 2: " in str(caught.value)
    assert "no well-formed conversation 'b'; take the row out, or mend" in str(caught.value)
