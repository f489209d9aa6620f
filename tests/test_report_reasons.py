import json

import pytest

from feedback_lens.params import read_axes
from feedback_lens.report.tables.causes import OTHER_CONVERSATIONS, SAMPLE_DATA
from feedback_lens.report.tables.reasons import OTHERS, WRITTEN, about_data
from feedback_lens.report.tables.rows import Reason
from report_page import build, rows_of, section_of
from report_world import PARAMS, write_world

WITHOUT = "every labeled turn of a sparse set (sparse) holds feedback"
COUNTED = "so there are no true negatives or false positives to count"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return build(write_world(tmp_path_factory.mktemp("world")))


def test_a_class_that_no_gold_turn_has_is_a_dash_without_a_difference(page):
    # the turn of the sparse set is NEG_1
    for name in ("NEU", "POS"):
        lines = rows_of(page, "table-9")[name]
        assert [line[0] for line in lines] == ["reported", "ours and as published, sparse (n = 1)"]
        assert lines[1][1:] == ("–", "–", "–")
    assert "macro averages the classes that occur in gold" in section_of(page, "table-9")


def test_a_class_that_is_only_missed_keeps_its_zero(page):
    lines = rows_of(page, "table-9")["NEG"]
    # of one trial Wilson's interval goes from 0 to 3.84 / 4.84; of precision there is no trial
    assert lines[1][1:] == ("0.0", "0.0 (0.0 to 79.3)", "0.0")
    # 0 - 68.82, 0 - 55.65 and 0 - 61.54; 79.35 - 55.65
    assert lines[2][1:] == ("−68.8", "−55.6 (−55.6 to 23.7)", "−61.5")


def test_without_feedback_free_turns_the_sparse_tables_say_what_cannot_be_counted(page):
    for anchor in ("table-1", "table-6", "table-8", "table-9"):
        assert WITHOUT in section_of(page, anchor)
    for anchor in ("table-6", "table-8", "table-9"):
        assert COUNTED in section_of(page, anchor)
    for anchor in ("table-1", "table-7", "table-10", "table-11"):
        assert COUNTED not in section_of(page, anchor)


def test_a_sparse_set_with_turns_without_feedback_is_not_said_to_have_none(tmp_path):
    arguments = write_world(tmp_path)
    path = tmp_path / "metrics/count_feedback_gold/sparse.json"
    counts = json.loads(path.read_text())
    counts["by_label"]["NEU"]["count"] = 1
    path.write_text(json.dumps(counts))
    page = build(arguments)
    assert WITHOUT not in page
    assert COUNTED not in page


def test_rows_as_a_detector_finds_it_are_said_to_carry_its_errors(page):
    for anchor in ("table-1", "figure-2", "figure-6"):
        section = section_of(page, anchor)
        assert "carry that detector&#39;s errors, which the intervals do not show" in section
        # team has no gold set, and its detector is held against none
        assert "the keywords detector was never checked on the log team" in section
        assert "on the log lmsys" not in section


def test_a_gold_set_does_not_check_a_detector_that_is_not_held_against_it(tmp_path):
    run = {**PARAMS["run"], "detection": {"detectors": ["local", "prior"]}}
    section = section_of(build(write_world(tmp_path, {**PARAMS, "run": run})), "table-1")
    assert "the prompted detector was never checked on the log lmsys" in section


def test_only_the_sample_s_corpora_are_called_hand_written(page, tmp_path):
    write_world(tmp_path)
    axes = read_axes(tmp_path / "params.yaml")
    assert about_data(axes, ["lmsys", "wildchat"]) == Reason(WRITTEN, (SAMPLE_DATA,))
    assert about_data(axes, ["team"]) == Reason(OTHERS, (OTHER_CONVERSATIONS,))
    both = Reason(f"{WRITTEN} (lmsys); {OTHERS} (team)", (SAMPLE_DATA, OTHER_CONVERSATIONS))
    assert about_data(axes, ["lmsys", "team"]) == both
    assert f"{WRITTEN[1:]} (lmsys); other" in section_of(page, "figure-3")
    # only lmsys is trained on
    assert f"{WRITTEN[1:]};" in section_of(page, "table-4")
