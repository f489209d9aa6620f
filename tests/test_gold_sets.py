import json

import pytest
from click.testing import CliRunner

from dialogues import dialogue
from feedback_lens.errors import InputError
from feedback_lens.feedback.gold.reading import read_gold_set
from feedback_lens.feedback.gold.sets import GoldSet, cut_exchange
from feedback_lens.logs.conversation import read_conversations
from feedback_lens.stages.read_gold import main
from feedback_lens.tables import read_rows

HEADER = "conversation_id,turn,labels\n"
GOLD = HEADER + "b,3,NEG_1|NEG_2\na,2,POS\nb,2,NEU\n"


def message(text, role="user"):
    return {"role": role, "content": text}


def line(identifier, *texts, **more):
    roles = ("user", "assistant")
    messages = [message(text, roles[place % 2]) for place, text in enumerate(texts)]
    return json.dumps({"conversation_id": identifier, "conversation": messages, **more})


def write_log(folder):
    lines = [
        line("a", "u1", "m1", "u2", "m2"),
        line("b", "u1", "m1", "u2", "m2", "u3"),
        "{",
        line("c", "u1", "m1", "u2"),
        line("a", "again", "m1", "u2"),
        line("d", "u1", "m1", " "),
    ]
    (folder / "log.jsonl").write_text("\n".join(lines))
    (folder / "labels").mkdir()
    (folder / "labels/gold.csv").write_text(GOLD)
    (folder / "labels/anna.csv").write_text(HEADER + "b,2,NEG_4\n")
    return folder


def read_own(folder, setting="dense", **more):
    options = {"source": None, "name": "own", **more}
    return read_gold_set(folder / "log.jsonl", "lmsys", folder / "labels", setting, **options)


def test_annotated_conversations_alone_are_read_and_all_rows_are_counted(tmp_path):
    gold_set, counts = read_own(write_log(tmp_path))
    assert [c.conversation_id for c in gold_set.list_inputs()] == ["a", "b"]
    assert counts == {
        "rows": 6,
        "other_rows": 0,
        "rejected": {"duplicate_id": 1, "empty_user_turn": 1, "not_a_json_object": 1},
        "conversations": 2,
        "turns": 3,
        "annotators": {
            "gold": {"turns": 3, "dual_labeled": 1},
            "anna": {"turns": 1, "dual_labeled": 0},
        },
    }


def test_labels_have_the_keys_that_detectors_see(tmp_path):
    write_log(tmp_path)
    seen = {
        setting: [tuple(row.values()) for row in read_own(tmp_path, setting)[0].list_labels()]
        for setting in ("dense", "sparse")
    }
    assert seen["dense"] == [
        ("gold", "b", 3, ["NEG_1", "NEG_2"], "NEG_2", "b"),
        ("gold", "a", 2, ["POS"], "POS", "a"),
        ("gold", "b", 2, ["NEU"], "NEU", "b"),
        ("anna", "b", 2, ["NEG_4"], "NEG_4", "b"),
    ]
    assert seen["sparse"] == [
        ("gold", "b:3", 2, ["NEG_1", "NEG_2"], "NEG_2", "b"),
        ("gold", "a:2", 2, ["POS"], "POS", "a"),
        ("gold", "b:2", 2, ["NEU"], "NEU", "b"),
        ("anna", "b:2", 2, ["NEG_4"], "NEG_4", "b"),
    ]


def test_turns_to_count_are_those_of_gold_as_the_log_numbers_them(tmp_path):
    rows = read_own(write_log(tmp_path), "sparse")[0].list_turns()
    assert [tuple(row.values()) for row in rows] == [
        ("b", 3, "NEG_2"),
        ("a", 2, "POS"),
        ("b", 2, "NEU"),
    ]


def test_a_detector_of_a_sparse_set_sees_a_turn_and_the_exchange_before_it(tmp_path):
    inputs = list(read_own(write_log(tmp_path), "sparse")[0].list_inputs())
    assert [c.conversation_id for c in inputs] == ["a:2", "b:2", "b:3"]
    # the reply to the turn itself is not seen
    assert [[m.content for m in c.messages] for c in inputs] == [
        ["u1", "m1", "u2"],
        ["u1", "m1", "u2"],
        ["u2", "m2", "u3"],
    ]


def test_a_turn_that_only_a_second_annotator_labeled_is_seen_too():
    conversation = dialogue("a", "u1", "m1", "u2", "m2", "u3")
    annotations = {"gold": {("a", 2): ("POS",)}, "anna": {("a", 3): ("NEU",)}}
    gold_set = GoldSet("sparse", {"a": conversation}, annotations)
    assert list(gold_set.list_inputs()) == [cut_exchange(conversation, turn) for turn in (2, 3)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,3,NEU\n", r"gold\.csv: line 2: .*log\.jsonl holds no turn 3 in conversation 'a'"),
        ("e,2,NEU\n", r"gold\.csv: line 2: .*holds no well-formed conversation 'e'"),
        ("d,2,NEU\n", r"gold\.csv: line 2: .*holds no well-formed conversation 'd'"),
        ("", r"gold_sets\.own: .*labels gives no turn a label \(0 conversations"),
    ],
)
def test_gold_that_does_not_fit_the_log_is_an_error(tmp_path, row, message):
    write_log(tmp_path)
    (tmp_path / "labels/anna.csv").unlink()
    (tmp_path / "labels/gold.csv").write_text(HEADER + row)
    if not row:
        (tmp_path / "log.jsonl").write_text("")
    with pytest.raises(InputError, match=message):
        read_own(tmp_path)


def test_another_annotator_s_line_is_checked_like_gold(tmp_path):
    write_log(tmp_path)
    (tmp_path / "labels/anna.csv").write_text(HEADER + "b,2,NEU\nb,4,NEU\n")
    with pytest.raises(InputError, match=r"anna\.csv: line 3: .* no turn 4"):
        read_own(tmp_path)


def test_a_log_that_carries_no_labels_is_not_its_own_gold(tmp_path):
    write_log(tmp_path)
    log = tmp_path / "log.jsonl"
    with pytest.raises(
        InputError, match=r"gold_sets\.own\.labels: a log of format 'lmsys' carries"
    ):
        read_gold_set(log, "lmsys", log, "dense", None, "own")


def published(identifier, setting, source, labels, texts, *messages):
    return line(
        identifier,
        *messages,
        dataset_source=source,
        eval_type=setting,
        user_feedback_category=labels,
        user_feedback_text=texts,
    )


def write_published(folder):
    lines = [
        published("a", "sparse", "lmsys", ["NEG_3"], ["u3 "], "u1", "m1", "u2", "m2", "u3", "m3"),
        published("a", "dense", "lmsys", ["NEU", "NEG_3|NEG_4"], ["", "u3"], *"12345"),
        published("b", "dense", "wildchat", ["NEU"], [""], "u1", "m1", "u2"),
        published("c", "dense", "wildchat", ["NEU"], [""], "u1", "m1", "u2", "m2", "u3"),
        published("d", "dense", "wildchat", "NEU", "u2", "u1", "m1", "u2"),
        published("e", "dense", "lmsys", ["NEU"], [""], "u1"),
    ]
    log = folder / "published.jsonl"
    log.write_text("\n".join(lines).replace('"5"', '"u3"'))
    return log


def read_published(log, setting, source=None):
    return read_gold_set(log, "multiturn_feedback", log, setting, source, "sparse")


def test_of_a_published_log_the_rows_of_one_setting_are_read(tmp_path):
    gold_set, counts = read_published(write_published(tmp_path), "dense")
    assert gold_set.annotations == {
        "gold": {("a", 2): ("NEU",), ("a", 3): ("NEG_3", "NEG_4"), ("b", 2): ("NEU",)}
    }
    # c has one blank text for two turns, e one for none
    assert [c.conversation_id for c in gold_set.list_inputs()] == ["a", "b"]
    alignment = {name: count for name, count in counts.pop("alignment").items() if count}
    assert alignment == {"placed_by_text": 1, "placed_by_position": 2, "uncertain_gap": 2}
    assert counts == {
        "rows": 5,
        "other_rows": 1,
        "rejected": {"labels_are_no_list": 1},
        "turns_without_label": 2,
        "conversations": 2,
        "turns": 3,
        "annotators": {"gold": {"turns": 3, "dual_labeled": 1}},
    }


def test_the_sparse_rows_of_the_same_conversations_are_another_set(tmp_path):
    gold_set, counts = read_published(write_published(tmp_path), "sparse")
    assert [row["conversation_id"] for row in gold_set.list_labels()] == ["a:3"]
    assert (counts["rows"], counts["other_rows"], counts["turns"]) == (1, 5, 1)


def test_a_log_may_be_spelled_in_two_ways(tmp_path):
    log = write_published(tmp_path)
    other = tmp_path / "labels" / ".." / log.name
    (tmp_path / "labels").mkdir()
    gold_set, _ = read_gold_set(log, "multiturn_feedback", other, "dense", None, "own")
    assert list(gold_set.conversations) == ["a", "b"]


def test_a_source_is_refused_where_the_format_has_none(tmp_path):
    write_log(tmp_path)
    with pytest.raises(InputError) as caught:
        read_own(tmp_path, source="wildchat")
    assert str(caught.value) == (
        "gold_sets.own.source: the format lmsys has no sources; take it out"
    )


def test_the_rows_of_one_source_are_a_set_of_their_own(tmp_path):
    gold_set, counts = read_published(write_published(tmp_path), "dense", "wildchat")
    assert list(gold_set.conversations) == ["b"]
    assert counts["other_rows"] == 3


def test_a_published_log_without_rows_of_the_setting_is_an_error(tmp_path):
    log = write_published(tmp_path)
    with pytest.raises(InputError, match=r"gives no turn a label .* 6 rows of another setting"):
        read_published(log, "sparse", "wildchat")


def run_stage(folder, log, log_format, labels, setting, *more):
    outs = {name: folder / name for name in ("conversations", "label_table", "turns", "metrics")}
    options = {"path": log, "format": log_format, "labels": labels, "setting": setting, **outs}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return CliRunner().invoke(main, [*words, "--gold_set", "own", *more])


def test_the_stage_writes_tables_and_counts(tmp_path):
    log = write_published(tmp_path)
    result = run_stage(tmp_path, log, "multiturn_feedback", log, "dense", "--source", "lmsys")
    assert result.exit_code == 0, result.output
    assert [c.conversation_id for c in read_conversations(tmp_path / "conversations")] == ["a"]
    assert [row["label"] for row in read_rows(tmp_path / "label_table")] == ["NEU", "NEG_3"]
    assert read_rows(tmp_path / "turns")[1] == {"conversation_id": "a", "turn": 3, "label": "NEG_3"}
    assert json.loads((tmp_path / "metrics").read_text())["turns"] == 2


def test_the_stage_refuses_a_setting_or_format_that_it_does_not_know(tmp_path):
    write_log(tmp_path)
    log, labels = tmp_path / "log.jsonl", tmp_path / "labels"
    assert "'loose' is not one of" in run_stage(tmp_path, log, "lmsys", labels, "loose").output
    assert "'chat' is not one of" in run_stage(tmp_path, log, "chat", labels, "dense").output
