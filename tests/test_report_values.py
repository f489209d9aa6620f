import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.report.names import match_gold_set
from feedback_lens.report.page.build import escape_json
from feedback_lens.report.tables.rows import compare
from feedback_lens.report.tables.values import (
    ours,
    ours_with_interval,
    ours_with_spread,
    reported,
    share,
)


def test_a_difference_is_ours_less_theirs():
    row = compare("accuracy", [reported(41.6)], {"ours": [ours(50.0, 1)]})
    assert [line.cells for line in row.lines] == [("41.6",), ("50.0",), ("+8.4",)]


def test_a_mean_with_a_spread_is_compared_by_its_mean():
    row = compare("kto", [reported([6.37, 0.06])], {"ours": [ours_with_spread(5.12, 0.2, 2)]})
    # 5.12 - 6.37
    assert [line.cells for line in row.lines] == [("6.37 ± 0.06",), ("5.12 ± 0.20",), ("−1.25",)]


def test_shares_are_compared_in_points():
    # 1 of 4 is 25 percent, 3 of 4 is 75
    row = compare("turn 2", [share(3, 4)], {"ours": [share(1, 4)]})
    assert [line.cells for line in row.lines] == [("3/4 (75%)",), ("1/4 (25%)",), ("−50.0",)]


def test_what_the_source_does_not_show_is_said_and_not_subtracted():
    published = [reported(None), reported("<.00001"), reported(4)]
    row = compare("rand", published, {"ours": [ours(1, 1), ours(2, 1), ours(3, 1)]})
    assert row.lines[0].cells == ("unreadable in the source", "<.00001", "4")
    assert row.lines[2].cells == ("–", "–", "−1.0")


def test_where_nothing_can_be_subtracted_there_is_no_line_of_differences():
    row = compare("rand", [reported("under 1")], {"ours": [ours(0.5, 1)]})
    assert [line.kind for line in row.lines] == ["reported", "ours"]


@pytest.mark.parametrize(
    ("setting", "name", "paper"),
    [
        ("sparse", "ours", "sparse_lmsys"),
        ("dense", "lmsys", "dense_lmsys"),
        ("dense", "dense_wildchat", "dense_wildchat"),
        ("dense", "team", None),
    ],
)
def test_a_gold_set_stands_beside_the_one_of_its_setting_and_corpus(setting, name, paper):
    assert match_gold_set(setting, name) == paper


def test_what_was_not_run_gives_its_reason():
    row = compare("prior", [reported(41.4)], {}, "not run: no such prompt")
    assert row.lines[1].cells == ("not run: no such prompt",)


def test_a_null_of_ours_is_no_number():
    assert ours_with_interval([None, None, None], 1).text == "no value"


def test_an_interval_stands_beside_its_figure():
    assert ours_with_interval([50.0, -2.5, 75.0], 1).text == "50.0 (−2.5 to 75.0)"


@given(st.text())
def test_embedded_json_is_what_it_was_and_cannot_end_its_element(text):
    escaped = escape_json({"text": f"</script>{text}"})
    assert json.loads(escaped) == {"text": f"</script>{text}"}
    assert not set("<>&\u2028\u2029") & set(escaped)
