import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.report.charts import list_ticks
from feedback_lens.report.figures import number_series
from feedback_lens.report.page import escape_json
from feedback_lens.report.svg import draw_text
from feedback_lens.report.values import (
    compare,
    ours,
    ours_with_interval,
    ours_with_spread,
    reported,
    share,
)
from feedback_lens.stages.report import main
from report_world import HOSTILE, write_world

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOWN = [
    *(f"Table {number}" for number in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)),
    *(f"Figure {number}" for number in (2, 3, 4, 6)),
    "Kappa",
    "Refusals",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    arguments = write_world(folder)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return folder, arguments


@pytest.fixture(scope="module")
def page(world):
    return (world[0] / "report/index.html").read_text(encoding="utf-8")


def read_metrics(world, name):
    return json.loads((world[0] / "metrics" / f"{name}.json").read_text())


def lines_of(page, anchor):
    """The lines of one table: (label, cell, cell, ...)."""
    section = re.search(rf'id="{anchor}">(.*?)</section>', page, re.DOTALL)[1]
    rows = re.findall(r"<tr class=.*?</tr>", section, re.DOTALL)
    return [tuple(re.findall(r"<td[^>]*>(.*?)</td>", row)) for row in rows]


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
    row = compare("rand", [reported(None), reported("<.00001")], {"ours": [ours(1, 1), ours(2, 1)]})
    assert row.lines[0].cells == ("unreadable in the source", "<.00001")
    assert row.lines[2].cells == ("–", "–")


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


def test_every_table_and_figure_of_the_paper_is_on_the_page(page):
    for name in SHOWN:
        assert f"<h3>{name}: " in page


def test_the_first_line_says_that_the_sample_says_nothing(page):
    assert re.search(r"<body>\s*<header>\s*<p class=\"first\">Sample profile: hand-written", page)


def test_the_lineage_names_models_and_rows(page):
    assert "5 rows read, 3 conversations kept (7 user turns); drawn: neg 1, pos 1, rand 3" in page
    assert "prompted (model claude)" in page


def test_detection_on_the_page_equals_the_metrics(world, page):
    accuracy = read_metrics(world, "evaluate_detector/lmsys")["prompted"]["fine"]
    # right: NEG_2 and POS of four turns
    assert accuracy["accuracy"] == 0.5
    interval = (
        f"50.0 ({100 * accuracy['accuracy_low']:.1f} to {100 * accuracy['accuracy_high']:.1f})"
    )
    (found,) = (line for line in lines_of(page, "table-2") if line[0] == "ours, lmsys")
    # precision: two of two; recall: two of three turns with feedback
    assert found[3:] == (interval, "100.0", "66.7")


def test_feedback_by_turn_on_the_page_equals_the_metrics(page):
    reported_line, ours_line, difference = lines_of(page, "table-1")[2:5]
    # turn 2: feedback in both of the labeled turns, a third has no label; 100 - 100 * 43 / 74
    assert reported_line[1:4] == ("74", "227", "43/74 (58%)")
    assert ours_line[1:4] == ("3", "4", "2/2 (100%)")
    assert difference[1:4] == ("−71", "−223", "+41.9")


def test_shares_of_labels_tell_how_many_turns_they_are_of(page):
    # turn 2: NEG_2 and POS; in all also NEU; the turn without a label counts nowhere
    assert lines_of(page, "figure-2")[0][0] == "ours, turn 2 (n = 2)"
    assert lines_of(page, "figure-6")[0][0] == "ours (n = 3)"
    assert "lmsys (n = 3)</span>" in page


def test_the_training_on_the_page_is_the_mean_over_seeds(page):
    # losses after: (4.5 + 5) / 2; margins: (-0.1 - 0.2) / 2
    assert lines_of(page, "training") == [
        ("rand_scratch", "sft", "4", "2", "5.000 → 4.750", "–"),
        ("kto", "kto", "4", "2", "5.000 → 4.750", "−0.150"),
    ]


def test_the_local_detector_stands_beside_its_baselines(page):
    # gold NEG_2, NEG_1, POS, NEU. Keywords: NEG_1 has F1 2/3, NEG_2 0, the others 1: 2.667 / 4;
    # majority: 2 of 4 are negative, NEG_2 has precision 1/4 and recall 1, F1 0.4: 0.4 / 4
    assert lines_of(page, "local-detector") == [
        ("local detector (n = 4)", "100.0", "100.0"),
        ("keywords (n = 4)", "100.0", "66.7"),
        ("most frequent label (n = 4)", "50.0", "10.0"),
    ]


def test_a_reward_model_trained_here_makes_its_win_rates_no_evidence(page):
    assert lines_of(page, "reward-model") == [("ours", "3", "1", "25.0 → 100.0")]
    section = re.search(r'id="table-3">(.*?)</section>', page, re.DOTALL)[1]
    assert "itself trained on most of these pairs (3 of 4 of the negative split)" in section
    assert "these win rates are not evidence" in section


def test_without_a_reward_model_trained_here_nothing_is_said_of_one(tmp_path):
    arguments = write_world(tmp_path)
    (tmp_path / "metrics/train_reward/tiny.json").unlink()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report/index.html").read_text("utf-8")
    assert "Reward model" not in page
    assert "not evidence" not in page


def test_no_corpus_is_lost_when_colors_run_out():
    names = ("a", "b", "c", "d", "e")
    assert [name for _, name in number_series(names)] == list(names)


def test_win_rates_on_the_page_equal_the_metrics(world, page):
    rates = read_metrics(world, "compare_replies/lmsys")["rand"]["scratch_vs_weak"]
    assert rates["without_feedback"]["win_rate"] == 1
    # 100 - 88
    assert [line[2] for line in lines_of(page, "table-3")[:3]] == ["88", "100 (100 to 100)", "+12"]


def test_scores_on_the_page_equal_the_metrics(world, page):
    scores = read_metrics(world, "summary")["mt_bench"]["reference"]["tiny"]["lmsys"]["kto"]
    lines = lines_of(page, "table-4")
    # row 2 of the table is kto on lmsys
    assert lines[4][1] == f"{scores['mean']:.2f} ± {scores['spread']:.2f}"
    assert lines[5][1] == f"{scores['mean'] - 6.09:+.2f}".replace("-", "−")


def test_p_values_on_the_page_equal_the_metrics(world, page):
    test = read_metrics(world, "significance")["mt_bench"]["reference"]["tiny"]["lmsys"]["kto"]
    found = {line[0]: line[1] for line in lines_of(page, "table-17") if len(line) > 2}
    assert found["ours"] == f"{test['p']:.3g}"
    assert found["ours, Holm"] == f"{test['p_holm']:.3g}"


def test_a_corpus_or_recipe_that_is_not_run_says_why(page):
    assert "not run: wildchat is not in run.models.corpora" in page
    assert "not run: neg_semantic is not in run.models.recipes" in page


def test_a_table_without_anything_run_says_so_once(page):
    section = re.search(r'id="table-8">(.*?)</section>', page, re.DOTALL)[1]
    assert section.count("not run: the prompt of prior work") == 1
    assert "Why ours differ" not in section


def test_text_of_a_log_stands_nowhere_as_markup(page):
    assert HOSTILE not in page
    assert "document.title='taken'</script>" not in page
    assert "<img" not in page
    # the data and our own script
    assert page.count("<script") == page.count("</script>") == 2
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1]
    shown = json.loads(data)
    assert shown[0]["turns"][0]["user"] == HOSTILE
    assert shown[0]["turns"][0]["replies"][0]["text"] == f"better {HOSTILE}"


def test_the_browser_s_data_join_labels_and_scores(page):
    shown = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    first = shown[0]["turns"]
    assert [turn["label"] for turn in first] == [None, "NEG_2", "NEU"]
    # without the feedback 3.0, with it 3.0 - 2.5
    assert first[0]["scores"]["neg"]["scratch"] == [3.0, 0.5]
    assert shown[2]["turns"][1]["outcome"] == "unreadable"


def test_the_page_loads_nothing(page):
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page)
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page


def test_the_same_inputs_give_the_same_bytes(world):
    folder, arguments = world
    before = (folder / "report/index.html").read_bytes()
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert (folder / "report/index.html").read_bytes() == before
    assert str(folder).encode() not in before


def test_no_more_conversations_than_asked_for_are_shown(world, tmp_path):
    path = tmp_path / "index.html"
    arguments = [*world[1], "--conversations", "1", "--report", str(path)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    data = re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)[1]
    assert len(json.loads(data)) == 1


@pytest.mark.parametrize(
    "name",
    [
        "metrics/summary.json",
        "metrics/training.json",
        "metrics/fit_detector.json",
        "metrics/ingest/lmsys.json",
        "plots/confusion/lmsys.csv",
    ],
)
def test_a_missing_file_is_one_clear_line(tmp_path, name):
    arguments = write_world(tmp_path)
    (tmp_path / name).unlink()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert f"{tmp_path / name}: no such" in result.output
    assert not (tmp_path / "report").exists()


def test_without_gold_sets_the_detectors_are_not_run(tmp_path):
    arguments = write_world(tmp_path)
    place = arguments.index("--gold_sets")
    result = CliRunner().invoke(main, arguments[:place] + arguments[place + 2 :])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report/index.html").read_text("utf-8")
    assert "not run: run.gold.gold_sets names no dense set" in page


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_a_browser_shows_a_hostile_conversation_as_text(world, tmp_path):
    dom = open_in_browser(world[0] / "report/index.html", "#c1", tmp_path)
    assert "<title>Feedback Lens: report</title>" in dom
    assert "3 of 3 conversations" in dom
    body = dom[dom.index('<div id="list">') : dom.index('id="data"')]
    assert "<img" not in body
    assert "<script" not in body.replace("<script type", "")
    assert '<div class="text user">&lt;/script&gt;&lt;script&gt;' in body
    assert body.count('class="chip NEG_2"') == 2  # in the summary and at its turn


def open_in_browser(path: Path, fragment: str, profile: Path) -> str:
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --dump-dom"
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={profile}", f"{path.as_uri()}{fragment}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
