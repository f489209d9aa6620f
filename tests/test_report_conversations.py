import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.analysis.quality import RATINGS
from feedback_lens.feedback.labels import LABELS
from feedback_lens.logs.conversation import CONVERSATIONS, Conversation, Message
from feedback_lens.params import read_axes
from feedback_lens.report.browsers.conversations import read_shown
from feedback_lens.report.browsers.differences import LONGEST, list_edits
from feedback_lens.report.browsers.findings import read_findings
from feedback_lens.report.browsers.gold import read_annotations
from feedback_lens.report.inputs import read_inputs
from feedback_lens.report.page.build import build_page
from feedback_lens.tables import read_rows, write_rows
from report_page import build, data_of
from report_world import PUBLISHED, write_world

WORDS = st.lists(st.sampled_from(["the", "a", " ", "\n", "𝒳", "é", "end.", "\u202e"])).map(" ".join)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    return folder


@pytest.fixture(scope="module")
def shown(world):
    rows = read_shown(read_axes(world / "params.yaml"), world / "data", 10)
    return {(row["corpus"], row["id"]): row["turns"] for row in rows}


def apply_edits(original, edits):
    """The original's kept parts and the insertions; and all of the original, both in order."""
    units, start, text, old = original.encode("utf-16-le"), 0, "", ""
    for edit in edits:
        if isinstance(edit, str):
            text += edit
            continue
        part = units[start : start + 2 * abs(edit)].decode("utf-16-le")
        start, old, text = start + 2 * abs(edit), old + part, text + part * (edit > 0)
    return text, old


@given(st.one_of(WORDS, st.text()), st.one_of(WORDS, st.text()))
def test_the_edits_hold_the_new_reply_and_pass_over_all_of_the_original(original, text):
    edits, compared = list_edits(original, text)
    assert apply_edits(original, edits) == (text, original)
    assert compared
    assert 0 not in edits
    assert "" not in edits


def test_a_word_that_changed_stands_between_what_stayed():
    # "I like " is 7 characters, "red " 4, "cars very much " 15, "today" 5
    edits, _ = list_edits("I like red cars very much today", "I like blue cars very much now")
    assert edits == [7, -4, "blue ", 15, -5, "now"]


def test_fewer_words_than_three_are_not_kept_between_two_changes():
    # of "one two " and "3 4 " nothing stays, though "and then " is in both; "end" stands last in both
    edits, _ = list_edits("one two and then five end", "3 4 and then 6 7 end")
    assert edits == [-22, "3 4 and then 6 7 ", 3]


def test_a_character_beyond_the_first_plane_counts_two_as_in_javascript():
    assert list_edits("𝒳 ", "𝒳 more")[0] == [3, "more"]


def test_replies_of_thousands_of_words_are_replaced_as_a_whole():
    original, text = "word " * (LONGEST + 1), "word"
    assert list_edits(original, text) == ([-5 * (LONGEST + 1), "word"], False)


def test_a_turn_has_its_label_gold_and_what_each_detector_said(shown):
    first, second, third = shown["lmsys", "c1"]
    assert not first.keys() & {"label", "gold", "said", "outcome"}
    assert (second["label"], second["confidence"], second["gold"]) == ("NEG_2", 0.9, "NEG_2")
    assert (third["label"], third["gold"], third["gold_set"]) == ("NEU", "NEG_1", "lmsys")
    # without a confidence the prompted one says something else than it did of the log
    assert third["said"] == [["local", "NEU"], ["prompted", "NEU"], ["prior", "NEU"]]


def test_a_turn_without_a_label_has_the_outcome(shown):
    turn = shown["lmsys", "c3"][1]
    assert "label" not in turn
    assert turn["outcome"] == "unreadable"
    assert turn["gold"] == "NEU"
    assert turn["said"][0] == ["local", None, None, "unreadable"]


def test_the_own_detector_is_not_named_twice_where_it_says_the_same(world, tmp_path):
    write_world(tmp_path)
    path = tmp_path / "data/gold_labels/lmsys/prompted.parquet"
    write_rows(({**row, "confidence": 0.9} for row in read_rows(path)), path, LABELS)
    rows = read_shown(read_axes(tmp_path / "params.yaml"), tmp_path / "data", 1)
    assert [name for name, *_ in rows[0]["turns"][1]["said"]] == ["local", "prior"]


def test_a_prompt_has_the_splits_that_drew_it_its_toxicity_quality_and_refusal(shown):
    first = shown["lmsys", "c1"][0]
    assert first["splits"] == ["neg"]
    # 0.1 x turn 1; every second of seven criteria; 10 + 2 x turn 1 tokens
    assert first["toxicity"] == 0.1
    assert first["rating"] == {"met": [0, 2, 4, 6], "difficulty": 3, "tokens": 12}
    assert first["refusal"] == [False, True]
    assert not shown["lmsys", "c1"][2].keys() & {"splits", "toxicity", "rating", "refusal"}


def test_a_regenerated_reply_is_told_by_its_difference_and_its_rewards(shown):
    first = shown["lmsys", "c1"][0]
    (reply,) = first["replies"]
    assert (reply["name"], reply["model"], reply["outcome"]) == (
        "neg_scratch",
        "claude",
        "answered",
    )
    assert apply_edits(first["reply"], reply["edits"])[0].startswith("better ")
    # without the feedback 3.0, with it 3.0 - 2.5
    assert first["scores"]["neg"]["scratch"] == [3.0, 0.5]


def test_a_corpus_that_is_only_analyzed_has_no_replies_and_scores(shown):
    turns = [turn for (corpus, _), turns in shown.items() if corpus == "team" for turn in turns]
    assert len(turns) == 7
    assert not any(turn.keys() & {"replies", "scores"} for turn in turns)


def test_gold_is_not_shown_at_another_log_s_turn_of_the_same_number(shown):
    assert ("team", "c1") in shown
    turns = [turn for (corpus, _), turns in shown.items() if corpus == "team" for turn in turns]
    assert not any(turn.keys() & {"gold", "gold_set", "said"} for turn in turns)


def test_detectors_of_a_sparse_set_are_found_by_the_log_s_own_turn(world):
    axes = read_axes(world / "params.yaml")
    only = axes.__class__(**{**axes.__dict__, "gold_sets": {"sparse": "sparse"}})
    ((key, annotation),) = read_annotations(only, world / "data", {"c1", "c2"}).items()
    assert key == ("c1", 3, "user 3 of c1 in lmsys")
    assert (annotation.gold, annotation.gold_set) == ("NEG_1", "sparse")
    assert {name: row["label"] for name, row in annotation.said.items()} == {
        "local": "NEU",
        "prompted": "NEU",
        "prior": "NEU",
    }


def test_of_other_conversations_nothing_is_held(world):
    axes = read_axes(world / "params.yaml")
    findings = read_findings(axes, world / "data", "lmsys", {"c2"})
    held = [name for table in findings.__dict__.values() for name, _ in table]
    assert set(held) == {"c2"}
    assert {key[0] for key in read_annotations(axes, world / "data", {"c2"})} == {"c2"}


def test_an_id_with_colons_finds_its_ratings(world, tmp_path):
    write_world(tmp_path)
    path = tmp_path / "data/ratings/lmsys.parquet"
    rows = [{**row, "prompt_id": f"a:b:{row['prompt_id']}"} for row in read_rows(path)]
    write_rows(rows, path, RATINGS)
    axes = read_axes(tmp_path / "params.yaml")
    ratings = read_findings(axes, tmp_path / "data", "lmsys", {"a:b:c1"}).ratings
    assert {identifier for identifier, _ in ratings} == {"a:b:c1"}


def test_a_page_without_the_logs_texts_says_that_they_were_left_out(world):
    axes = read_axes(world / "params.yaml")
    places = world / "metrics", world / "plots", PUBLISHED, world / "data", world / "catalog.yaml"
    page = build_page(read_inputs(axes, "tiny", *places, texts=False), None)
    assert "Left out of this copy" in page
    assert "user 2 of c1" not in page
    assert 'id="filters"' not in page


def test_where_none_are_shown_the_page_says_why(tmp_path):
    arguments = write_world(tmp_path, shown=0)
    page = build(arguments)
    assert "No conversations are shown: <code>report.conversations</code>" in page
    assert data_of(page, "conversations")["conversations"] == []
    assert 'id="filters"' not in page


def test_what_is_not_known_takes_no_room(tmp_path):
    arguments = write_world(tmp_path)
    bare = Conversation("x", "team", None, None, None, None, None, None, (Message("user", "Hi"),))
    write_rows([bare.as_row()], tmp_path / "data/conversations/team.parquet", CONVERSATIONS)
    (team,) = (
        c
        for c in data_of(build(arguments), "conversations")["conversations"]
        if c["corpus"] == "team"
    )
    assert team == {"id": "x", "corpus": "team", "turns": [{"user": "Hi"}]}
