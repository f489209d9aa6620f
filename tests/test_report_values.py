import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import feedback_lens.report
from feedback_lens.report.names import match_gold_set
from feedback_lens.report.page.build import escape_json
from feedback_lens.report.plots.boxes import Box, measure_box
from feedback_lens.report.plots.charts import list_ticks
from feedback_lens.report.plots.series import COLORS, number_series
from feedback_lens.report.plots.svg import draw_text
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


def test_a_box_ends_at_the_last_values_within_one_and_a_half_boxes():
    # quartiles of 0, 1, 2, 3 and more are 1, 2 and 3; the box of 2 reaches from -2 to 6
    assert measure_box([3, 5.5, 0, 2, 1]) == Box(0, 1, 2, 3, 5.5, ())
    assert measure_box([3, 6.5, 0, 2, 1]) == Box(0, 1, 2, 3, 3, (6.5,))
    assert measure_box([]) is None


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


@pytest.mark.parametrize(
    ("numbers", "ticks"),
    [
        ([0, 1], [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ([5.4, 6.3], [5.4, 5.6, 5.8, 6.0, 6.2, 6.4]),
        ([3.0], [3, 4]),
        ([], [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_and_span_the_numbers(numbers, ticks):
    assert list_ticks(numbers) == ticks


def test_a_chart_s_text_is_escaped():
    assert "&lt;b&gt;" in draw_text(0, 0, "<b>", "end")


@given(st.text())
def test_embedded_json_is_what_it_was_and_cannot_end_its_element(text):
    escaped = escape_json({"text": f"</script>{text}"})
    assert json.loads(escaped) == {"text": f"</script>{text}"}
    assert not set("<>&\u2028\u2029") & set(escaped)


def test_no_corpus_is_lost_when_colors_run_out():
    names = [str(number) for number in range(COLORS + 1)]
    styles, named = zip(*number_series(names), strict=True)
    assert list(named) == names
    assert len(set(styles)) == COLORS
    style_sheet = (Path(feedback_lens.report.__file__).parent / "page/style.css").read_text()
    assert all(f"\n.{style}" in style_sheet for style in styles)
