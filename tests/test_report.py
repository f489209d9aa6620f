import hashlib
import re

import pytest
from click.testing import CliRunner

from browsing import needs_chromium, open_page
from feedback_lens.errors import InputError
from feedback_lens.report.page.build import SCRIPTS, escape_json, write_page
from feedback_lens.report.plots.bundle import bundle_vega
from feedback_lens.stages.report import main
from report_page import build, conversations_of, section_of
from report_world import HOSTILE, PARAMS, write_world

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
    build(arguments)
    return folder, arguments


@pytest.fixture(scope="module")
def page(world):
    return (world[0] / "report/index.html").read_text(encoding="utf-8")


def test_every_table_and_figure_of_the_paper_is_on_the_page(page):
    for name in SHOWN:
        assert f'-title">{name}: ' in page


def test_the_first_line_says_that_the_sample_says_nothing(page):
    assert re.search(
        r"<body[^>]*>\s*<header>\s*<p class=\"first\">Sample profile: hand-written", page
    )


def test_the_lineage_names_rows_detectors_and_who_stands_behind_them(page, world):
    drawn = "5 rows read, 3 conversations kept (7 user turns); detector: {}; drawn: neg 1, pos 1, rand 3"
    assert drawn.format("prompted (by claude)") in page
    assert drawn.format("keywords (by the keywords detector)") in page
    assert "local (model lexicon): lmsys, team" in page
    assert "label (4 calls); the server named it claude-20261101" in page
    labels = hashlib.md5((world[0] / "data/labels/team.parquet").read_bytes()).hexdigest()
    assert f'<tr><th scope="row">data/labels/team.parquet</th><td>{labels}</td></tr>' in page
    assert "rules, tokens by words: lmsys, team, mt_bench, team_prompts" in page


def test_text_of_a_log_stands_nowhere_as_markup(page):
    assert HOSTILE not in page
    assert "document.title='taken'</script>" not in page
    assert "<img" not in page.replace(bundle_vega(), "")
    # each piece of data, our own scripts, and Vega's
    scripts = page.count('-data">') + len(SCRIPTS) + 1
    assert page.count("<script") == page.count("</script>") == scripts
    shown = conversations_of(page)
    assert shown[0]["turns"][0]["user"] == HOSTILE
    assert shown[0]["turns"][0]["replies"][0]["edits"][-1] == f"better {HOSTILE}"


def test_the_page_loads_nothing(page):
    own = page.replace(bundle_vega(), "")
    assert len(page) - len(own) == len(bundle_vega())
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", own)
    assert not re.search(r"@import|url\(", own)
    assert "default-src 'none'" in page


def test_the_same_inputs_give_the_same_bytes(world):
    folder, arguments = world
    before = (folder / "report/index.html").read_bytes()
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert (folder / "report/index.html").read_bytes() == before
    assert str(folder).encode() not in before


def test_a_lone_surrogate_of_a_benchmark_is_a_question_mark(tmp_path):
    write_page("a\ud800b", tmp_path / "index.html")
    assert (tmp_path / "index.html").read_text("utf-8") == "a?b"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_with_its_mend(number):
    with pytest.raises(InputError, match="cannot hold NaN or infinity: look for it in metrics/"):
        escape_json({"reward": number})


def test_no_more_conversations_than_asked_for_are_shown(world, tmp_path):
    arguments = [*world[1]]
    arguments[arguments.index("--report") + 1] = str(tmp_path / "index.html")
    arguments[arguments.index("--conversations") + 1] = "1"
    # one of each corpus
    assert len(conversations_of(build(arguments))) == 2


@pytest.mark.parametrize(
    "name",
    [
        "metrics/summary.json",
        "metrics/scores.json",
        "metrics/training.json",
        "metrics/assemble/lmsys.json",
        "metrics/check_leakage/lmsys.json",
        "metrics/compare_answers/order.json",
        "metrics/fit_detector.json",
        "metrics/ingest/lmsys.json",
        "metrics/rate_prompt_sets/mt_bench.json",
        "plots/confusion/sparse.csv",
        "plots/calibration.csv",
        "plots/loss.csv",
        "plots/win_rates/lmsys.csv",
        "data/judgments/answers/wild/wildbench.json",
        "data/judgments/pairs/order/mt_bench.json",
        "data/labels/lmsys.json",
        "data/labels/team.parquet",
        "data/toxicity/team.parquet",
        "data/ratings/lmsys.parquet",
        "data/refusals/lmsys.parquet",
        "data/gold_labels/sparse/prior.parquet",
        "data/gold_labels/sparse/prior.json",
        "data/refusals/team_clusters.parquet",
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
    page = build(write_world(tmp_path, {**PARAMS, "gold_sets": {}}))
    assert "not run: gold_sets has no dense set" in section_of(page, "table-7")
    assert "not run: no folder of labels" in section_of(page, "kappa")


@pytest.mark.browser
@needs_chromium
def test_a_browser_shows_a_hostile_conversation_as_text_and_asks_for_nothing(world):
    path = world[0] / "report/index.html"
    with open_page(path, "#conversation-lmsys-c1") as page:
        assert page.title() == "Feedback Lens: report"
        assert page.requests == [f"{path.as_uri()}#conversation-lmsys-c1"] or page.requests == [
            path.as_uri()
        ]
        assert page.complaints == []
        assert page.locator("#count").inner_text() == "6 of 6 conversations, 14 turns"
        assert page.locator("#list img, #list script").count() == 0
        assert page.locator("#list .text.user").first.text_content() == HOSTILE
