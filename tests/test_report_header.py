"""The facts that the page begins with."""

import re
from datetime import date

import pytest
from click.testing import CliRunner

from browsing import needs_chromium, open_page
from feedback_lens.logs.conversation import CONVERSATIONS
from feedback_lens.params import read_axes
from feedback_lens.report.dates import Dates, read_dates
from feedback_lens.report.header import Commit, describe_run
from feedback_lens.report.inputs import read_inputs
from feedback_lens.report.page.build import build_page
from feedback_lens.stages.report import main
from feedback_lens.tables import read_json, write_json, write_rows
from report_page import build
from report_world import PUBLISHED, write_world

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(write_world(folder))
    return folder


def read(folder, texts=True):
    metrics, plots, data = (folder / name for name in ("metrics", "plots", "data"))
    axes = read_axes(folder / "params.yaml")
    catalog = folder / "catalog.yaml"
    return read_inputs(axes, "tiny", metrics, plots, PUBLISHED, data, catalog, texts=texts)


def facts_of(page):
    """The header's text, tags as blanks."""
    header = re.search(r'<section class="run".*?</section>', page, re.DOTALL)[0]
    return " ".join(re.sub(r"<[^>]+>", " ", header).split())


def models_of(folder):
    return {model.name: model for model in describe_run(read(folder), None).models}


def summed(folder, name, counts):
    """Replace the calls of the stage `label` by those of one model."""
    path = folder / "metrics/summarize_calls.json"
    write_json({**read_json(path), "label": {name: counts}}, path)


def test_the_page_begins_with_profile_commit_cost_data_and_models(world):
    told = facts_of((world / "report/index.html").read_text("utf-8"))
    assert told.startswith(
        "Profile sample Commit not in this file, which is part of one; "
        "feedback-lens lineage report/index.html names it "
        "Cost $1.50 at list price, 6 calls; 2 of them have no price Data "
    )
    assert "claude label 2999-01-01 claude-next 4 1,234 $1.50" in told
    assert "local:lexicon score_toxicity runs here – 2 not counted not priced" in told


def test_the_date_of_the_data_is_that_of_the_first_and_the_last_conversation(world):
    lmsys, team = describe_run(read(world), None).logs
    assert (lmsys.name, lmsys.rows, lmsys.conversations) == ("lmsys", 5, 3)
    # c2 began in January, c1 in March, c3 nobody knows when
    assert lmsys.dates == Dates("2026-01-31", "2026-03-02", undated=1)
    assert team.dates == Dates(None, None, undated=3)
    told = facts_of((world / "report/index.html").read_text("utf-8"))
    assert "lmsys 5 3 2026-01-31 to 2026-03-02 (1 without a timestamp)" in told
    assert "team 5 3 no timestamps in this log" in told


def test_a_table_without_rows_has_no_dates(tmp_path):
    write_rows([], tmp_path / "empty.parquet", CONVERSATIONS)
    assert read_dates(tmp_path / "empty.parquet") == Dates(None, None, 0)


def test_the_paper_s_models_that_were_not_asked_are_named_with_their_ends(world):
    models = models_of(world)
    assert [name for name, model in models.items() if not model.is_ours] == [
        "gpt-4o-mini",
        "gpt-4",
        "perspective",
    ]
    assert (models["gpt-4"].shutdown, models["gpt-4"].substitute) == ("2001-02-03", "none known")
    assert (models["gpt-4o-mini"].shutdown, models["gpt-4o-mini"].no_shutdown) == (
        None,
        "none announced",
    )
    assert models["perspective"].no_shutdown == "not in the catalog"


def test_a_snapshot_of_a_model_of_the_paper_is_that_model_and_ends_with_it(tmp_path):
    write_world(tmp_path)
    counts = {"calls": 3, "prompt_tokens": 10, "completion_tokens": 5, "uncounted": 1, "usd": None}
    summed(tmp_path, "gpt-4-2024-01-31", counts)
    models = models_of(tmp_path)
    assert "gpt-4" not in models
    asked = models["gpt-4-2024-01-31"]
    assert (asked.is_ours, asked.shutdown) == (True, "2001-02-03")
    assert (asked.calls, asked.tokens, asked.cost) == ("3", "15, 1 call not counted", "not priced")


@pytest.mark.parametrize(
    ("total", "told"),
    [
        ({"calls": 0, "usd": None, "calls_without_usd": 0}, "no model was asked"),
        (
            {"calls": 705, "usd": None, "calls_without_usd": 705},
            "not known: none of 705 calls has a price",
        ),
        (
            {"calls": 1200, "usd": 1234.5, "calls_without_usd": 0},
            "$1,234.50 at list price, 1,200 calls",
        ),
        ({"calls": 1, "usd": 0.00123, "calls_without_usd": 0}, "$0.0012 at list price, 1 call"),
    ],
)
def test_the_cost_says_what_is_not_in_it(tmp_path, total, told):
    write_world(tmp_path)
    path = tmp_path / "metrics/summarize_calls.json"
    write_json({**read_json(path), "total": total}, path)
    assert describe_run(read(tmp_path), None).cost == told


def test_a_copy_for_others_names_its_commit(world):
    commit = Commit(HASH, "2026-11-23T12:00:00+01:00", ["branch main", "tag v1"], is_dirty=False)
    told = facts_of(build_page(read(world), commit=commit))
    assert f"Commit {HASH} of 2026-11-23 (branch main, tag v1) Cost" in told
    dirty = Commit(HASH, "2026-11-23T12:00:00+01:00", [], is_dirty=True)
    told = facts_of(build_page(read(world), commit=dirty))
    assert f"Commit {HASH} of 2026-11-23 with uncommitted changes Cost" in told


def test_another_catalog_changes_the_page_and_the_day_of_building_does_not(tmp_path):
    arguments = write_world(tmp_path)
    before = build(arguments)
    assert build(arguments) == before
    assert date.today().isoformat() not in before
    other = tmp_path / "other.yaml"
    other.write_text("models: {claude: {shutdown: 2030-06-07}}")
    arguments[arguments.index("--catalog") + 1] = str(other)
    assert 'datetime="2030-06-07"' in build(arguments)


def test_a_missing_catalog_is_one_clear_line(tmp_path):
    arguments = write_world(tmp_path)
    (tmp_path / "catalog.yaml").unlink()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert "catalog.yaml: cannot be read" in result.output


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2998-12-30T12:00:00+13:00", "retires in 2 days"),
        ("2998-12-31T23:59:00+13:00", "retires in 1 day"),
        ("2999-01-01T00:01:00+13:00", "retired"),
        ("2999-05-01T12:00:00+13:00", "retired"),
    ],
)
def test_the_reader_s_clock_tells_whether_a_model_is_retired(world, now, words):
    with open_page(world / "report/index.html", timezone_id="Pacific/Auckland") as page:
        page.clock.set_fixed_time(now)
        page.reload()
        cells = page.locator(".run tr:has-text('claude') td:has(time)")
        assert cells.first.inner_text().split("\n") == ["2999-01-01", words]
        assert page.locator(".run tr:has-text('gpt-4') .due.past").count() == 1
        assert page.complaints == []


@pytest.mark.browser
@needs_chromium
def test_without_javascript_the_date_stands_alone(world):
    with open_page(world / "report/index.html", java_script_enabled=False) as page:
        cell = page.locator(".run tr:has-text('claude') td:has(time)").first
        assert cell.inner_text() == "2999-01-01"


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("width", [400, 1280])
def test_header_and_lineage_are_no_wider_than_the_window_and_overprint_nothing(world, width):
    overprinted = """() => [...document.querySelectorAll("#lineage th, .run th, .run td")]
      .filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)"""
    viewport = {"width": width, "height": 800}
    with open_page(world / "report/index.html", viewport=viewport) as page:
        assert page.evaluate(overprinted) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
