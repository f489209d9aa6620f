"""The plots: one definition for DVC and the page, and what each template draws of its points."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import vl_convert
import yaml
from dvc.render.match import match_defs_renderers
from dvc.repo import Repo
from playwright.sync_api import expect

from browsing import needs_chromium, open_page
from feedback_lens.feedback.labels import DESCRIPTIONS, FINE
from feedback_lens.params import read_axes
from feedback_lens.report.plots.figures import list_figures, pack_plots
from feedback_lens.report.plots.places import PLACES
from feedback_lens.report.plots.plot import HERE, MADE_BY_DVC, Plot, read_plots
from report_page import build, data_of
from report_world import PARAMS, write_world

PROJECT = Path(__file__).parents[1]
DEFINITIONS = yaml.safe_load((HERE / "plots.yaml").read_text())["plots"]
TEMPLATES = {path.stem: path.read_text() for path in (HERE / "templates").glob("*.json")}
STYLE = (HERE.parent / "page/style.css").read_text()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(write_world(folder))
    return folder


@pytest.fixture(scope="module")
def page(world):
    return (world / "report/index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plots(world):
    return read_plots(world / "plots", read_axes(world / "params.yaml"))


def test_the_page_draws_what_dvc_plots_show_draws(world, plots):
    Repo.init(str(world), no_scm=True).close()
    (world / ".dvc/plots").symlink_to(HERE / "templates")
    (world / "src").symlink_to(PROJECT / "src")
    pipeline = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
    own = {name: pipeline[name] for name in ("vars", "plots")}
    (world / "dvc.yaml").write_text(yaml.safe_dump(own))
    with Repo(str(world)) as repo:
        found = match_defs_renderers(repo.plots.show(), templates_dir=repo.plots.templates_dir)
    drawn = {each.renderer.name: each.renderer.get_filled_template() for each in found}
    assert drawn == {plot.path: plot.fill("workspace") for plot in plots}
    assert len(drawn) == 23


def test_dvc_draws_the_defined_plots_in_their_order():
    listed = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["plots"]
    assert listed == [f"${{plots.{name}}}" for name in DEFINITIONS]
    assert [Path(path).stem for entry in DEFINITIONS.values() for path in entry] == [*DEFINITIONS]


def test_each_defined_plot_has_its_place_and_a_template_that_is_ours():
    used = {settings["template"] for entry in DEFINITIONS.values() for settings in entry.values()}
    assert set(PLACES) == set(DEFINITIONS)
    assert used == set(TEMPLATES)
    assert (PROJECT / ".dvc/plots").resolve() == (HERE / "templates").resolve()


def test_every_plot_stands_on_the_page_once_with_its_section(page, plots):
    for section, heading in {"confusion": "Detectors", "win_rates": "Replies"}.items():
        before = page[: page.index(f'id="plot-{section}-')]
        assert re.findall(r"<h2>(\w+)", before)[-1] == heading
    for plot in plots:
        assert page.count(f'id="{plot.anchor}"') == 1


def test_a_caption_names_title_unit_corpus_and_detector(plots, world):
    figures = list_figures(plots, read_axes(world / "params.yaml"))
    captions = {figure.anchor: figure.caption for found in figures.values() for figure in found}
    turns = "Labels by user turn, as the detector finds them (share of turns)"
    assert captions["plot-turn_distribution-lmsys"] == f"{turns}: LMSYS, by the prompted detector"
    assert captions["plot-confusion-sparse"].endswith(": Sparse, LMSYS (gold set sparse)")
    assert captions["plot-win_rates-lmsys"] == "Win rates of the replies (share of prompts): LMSYS"
    assert captions["plot-loss"] == "Training loss (SFT: nats a token)"


def test_a_plot_that_has_no_place_comes_after_the_others(world, plots):
    own = Plot("own", "", "plots/own.csv", {"title": "Ours"}, [{"x": "1"}])
    sections = list_figures([*plots, own], read_axes(world / "params.yaml"))
    assert [*sections][-1] == "More plots"
    assert [figure.caption for figure in sections["More plots"]] == ["Ours"]


def test_the_data_on_the_page_are_the_points_of_the_plots(page, plots):
    packed = data_of(page, "plots")
    for plot in plots:
        columns, rows = packed[plot.anchor]["columns"], range(packed[plot.anchor]["rows"])
        spread = {k: v if isinstance(v, list) else [v for _ in rows] for k, v in columns.items()}
        values = [{name: column[row] for name, column in spread.items()} for row in rows]
        spec = packed[plot.anchor]["spec"]
        assert {**spec, "data": {**spec["data"], "values": values}} == plot.fill()
        own = [name for name in columns if name not in packed[plot.anchor]["made"]]
        assert [{name: row[name] for name in own} for row in values] == plot.points
    assert [*MADE_BY_DVC] == packed["plot-loss"]["made"]


def test_what_all_rows_have_in_common_is_on_the_page_once(plots):
    [loss] = [plot for plot in plots if plot.name == "loss"]
    packed = pack_plots([loss])["plot-loss"]
    assert (packed["columns"]["base"], packed["columns"]["rev"]) == ("tiny", "this run")
    # 130 steps by two recipes and two seeds
    assert packed["rows"] == len(packed["columns"]["step"]) == 520


def test_a_plot_without_cells_or_points_says_so(tmp_path):
    arguments = write_world(tmp_path, {**PARAMS, "gold_sets": {}})
    empty = tmp_path / "plots/loss.csv"
    empty.write_text(empty.read_text().splitlines()[0] + "\n")
    page = build(arguments)
    figure = page[page.index('id="plot-confusion"') :]
    assert "not run: gold_sets has no entry" in figure[: figure.index("</figure>")]
    assert "plots/loss.csv has no points" in page
    assert not {"plot-loss", "plot-confusion"} & set(data_of(page, "plots"))


def draw(name, points):
    """What a template draws: the words of each mark."""
    [(path, settings)] = DEFINITIONS[name].items()
    rows = [{key: str(value) for key, value in point.items()} for point in points]
    file = path if path.endswith(".csv") else f"{path}/lmsys.csv"
    return vl_convert.vegalite_to_svg(json.dumps(Plot(name, "lmsys", file, settings, rows).fill()))


def marks_of(svg):
    return re.findall(r'aria-label="([^"]*)"', svg)


def test_a_box_ends_at_the_last_values_within_one_and_a_half_boxes():
    # quartiles of 0, 1, 2, 3 and more are 1, 2 and 3; the box of 2 reaches from -2 to 6
    for last, whisker, rings in ((5.5, "5.5", []), (6.5, "3", ["6.5"])):
        points = [{"split": "neg", "criteria_met": value} for value in (3, last, 0, 2, 1)]
        marks = marks_of(draw("quality", points))
        assert any(re.match(rf"q3: 3; .*high: {re.escape(whisker)};", mark) for mark in marks)
        assert any(mark.startswith("q1: 1; ") and "q3: 3; " in mark for mark in marks)
        assert any(mark.startswith("median: 2; ") for mark in marks)
        found = [re.match(r"value: ([\d.]+);", mark) for mark in marks]
        assert [match[1] for match in found if match] == rings


def test_a_long_loss_curve_is_drawn_by_means_of_neighboring_steps():
    cell = {"base": "tiny", "corpus": "lmsys", "recipe": "kto", "method": "kto"}
    points = [
        {**cell, "seed": seed, "step": step, "loss": 5 - 0.01 * step + seed}
        for seed in (1, 3)
        for step in range(1, 131)
    ]
    lines = re.findall(
        r'<path aria-label="training step: (\d+);[^"]*" [^>]*d="(M[^"]*)"', draw("loss", points)
    )
    # 130 steps in at most 60 points: three steps each; the first is at 2, a mean over both seeds
    assert [(start, path.count("L")) for start, path in lines] == [("2", 43)]


def test_labels_of_a_turn_are_stacked_to_one_with_their_number():
    shares = dict(zip(FINE, (0.25, 0, 0, 0.25, 0, 0.5), strict=True))
    points = [
        {"turn": "2", "label": label, "count": int(4 * share), "share": share, "low": 0, "high": 1}
        for label, share in shares.items()
    ]
    svg = draw("turn_distribution", points)
    # the axis has 0% to 100% by 20; a share of nothing has no room for its percents
    texts = re.findall(r">(\d+%|n = \d+)</text>", svg)
    assert sorted(text for text in texts if text[0] == "n" or int(text[:-1]) % 20) == [
        *("25%", "25%", "50%", "n = 4")
    ]
    assert any("NEG_4" in mark and "ask for clarification" in mark for mark in marks_of(svg))


def test_a_confusion_matrix_counts_the_turns_of_a_detector_and_shows_zeros():
    points = [
        {"detector": detector, "actual": "POS", "predicted": predicted}
        for detector, found in {"local": ("POS", "POS", "NEU"), "second": ("NEU",)}.items()
        for predicted in found
    ]
    svg = draw("confusion", points)
    assert "lmsys, local detector" in svg and "lmsys, second annotator" in svg
    marks = [mark for mark in marks_of(svg) if "turns: " in mark and "gold label: POS" in mark]
    local = {
        re.search(r"predicted(?: label)?: (\w+)", mark)[1]: re.search(r"turns: (\d+)", mark)[1]
        for mark in marks
        if "local" in mark
    }
    assert local == {**dict.fromkeys(FINE, "0"), "POS": "2", "NEU": "1"}


def test_two_revisions_are_told_apart(plots):
    """As `dvc plots diff` draws them: each row or panel says of which revision it is."""
    for plot in plots:
        spec = plot.fill("main")
        spec["data"]["values"] = [*spec["data"]["values"], *plot.fill("few")["data"]["values"]]
        texts = re.findall(r">([^<]*)<", vl_convert.vegalite_to_svg(json.dumps(spec)))
        for name in ("main", "few"):
            assert any(re.search(rf"\b{name}\b", text) for text in texts), plot.path


@pytest.mark.parametrize("ground", re.findall(r"--(?:card|page): (#\w+)", STYLE))
def test_colors_of_templates_are_seen_on_light_and_dark(ground):
    colors = {color for text in TEMPLATES.values() for color in re.findall(r"#[0-9a-f]{6}", text)}
    assert len(colors) >= 6
    assert {
        color: round(contrast(color, ground), 2) for color in colors if contrast(color, ground) < 3
    } == {}


def contrast(one, other):
    """The ratio of WCAG 2.2, 1 to 21."""
    dark, light = sorted(luminance(color) for color in (one, other))
    return (light + 0.05) / (dark + 0.05)


def luminance(color):
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def list_scales(node):
    if isinstance(node, dict):
        scale = node.get("scale")
        if isinstance(scale, dict) and isinstance(scale.get("range"), list) and "domain" in scale:
            yield from zip(scale["domain"], scale["range"], strict=True)
        for part in node.values():
            yield from list_scales(part)
    elif isinstance(node, list):
        for part in node:
            yield from list_scales(part)


def test_a_label_and_a_split_have_one_color_everywhere():
    found = {}
    for text in TEMPLATES.values():
        for name, color in list_scales(json.loads(text)):
            if name in (*FINE, "neg", "rand", "pos"):
                found.setdefault(name, set()).add(color)
    assert {len(colors) for colors in found.values()} == {1}
    assert len({color for colors in found.values() for color in colors}) == 6  # as the splits' do


def test_labels_mean_in_the_templates_what_they_mean_elsewhere():
    words = [f"'{label}': '{description}'" for label, description in DESCRIPTIONS.items()]
    for name in ("stacked_shares", "label_shares", "confusion_by_detector"):
        assert all(word in TEMPLATES[name] for word in words)


def test_the_bundle_is_the_same_in_every_process():
    code = "import hashlib; from feedback_lens.report.plots.bundle import bundle_vega as b;"
    code += "print(hashlib.sha256(b().encode()).hexdigest(), '</script' in b())"
    runs = {subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(2)}
    assert len(runs) == 1 and runs.pop().endswith("False\n")


def draw_all(page):
    """Scroll to each drawing and wait for it; how many there are."""
    drawings = page.locator(".drawing")
    for index in range(drawings.count()):
        drawings.nth(index).scroll_into_view_if_needed()
        drawings.nth(index).locator("svg[role=img]").wait_for()
    return drawings.count()


@pytest.mark.browser
@needs_chromium
def test_every_plot_is_drawn_under_the_policy_with_its_name(world, plots):
    with open_page(world / "report/index.html") as page:
        assert draw_all(page) == len(plots)
        for plot in plots:
            drawing = page.locator(f"#{plot.anchor} svg[role=img]")
            assert plot.settings["title"] in drawing.get_attribute("aria-label")
            assert drawing.locator("path, rect, text").count() > 10
        assert page.complaints == []


@pytest.mark.browser
@needs_chromium
def test_the_data_of_a_plot_are_one_click_away_and_saved_as_they_are(world, plots):
    [plot] = [plot for plot in plots if plot.name == "loss"]
    with open_page(world / "report/index.html") as page:
        figure = page.locator("#plot-loss")
        assert figure.locator("summary").inner_text() == "Data (520 rows)"
        figure.locator("summary").click()
        assert figure.locator("caption").inner_text() == "The first 200 of 520 rows"
        assert figure.locator("tbody tr").count() == 200
        assert figure.locator("thead th").all_inner_texts() == [*plot.points[0]]
        first = figure.locator("tbody tr").first.locator("td").all_inner_texts()
        assert first == [*plot.points[0].values()]
        with page.expect_download() as saved:
            figure.get_by_role("button", name="Save as CSV").click()
        assert saved.value.suggested_filename == "loss.csv"
        assert Path(saved.value.path()).read_bytes() == (world / "plots/loss.csv").read_bytes()
        with page.expect_download() as saved:
            figure.get_by_role("button", name="Save as SVG").click()
        assert "<svg" in Path(saved.value.path()).read_text()
        assert page.complaints == []


@pytest.mark.browser
@needs_chromium
def test_plots_follow_light_and_dark(world):
    light, dark = re.findall(r"--ink: (#\w+)", STYLE)
    with open_page(world / "report/index.html", color_scheme="light") as page:
        draw_all(page)
        label = page.locator("#plot-calibration svg .role-axis-label text").first
        expect(label).to_have_attribute("fill", light)
        page.emulate_media(color_scheme="dark")
        expect(label).to_have_attribute("fill", dark)


@pytest.mark.browser
@needs_chromium
def test_on_a_phone_no_plot_is_wider_than_the_page(world):
    with open_page(world / "report/index.html", viewport={"width": 400, "height": 800}) as page:
        draw_all(page)
        page.wait_for_timeout(200)
        assert (
            page.evaluate(
                "[...document.querySelectorAll('figure.plot')].filter((f) => f.getBoundingClientRect().right > innerWidth).length"
            )
            == 0
        )


@pytest.mark.browser
@needs_chromium
def test_printing_draws_every_plot(world, plots):
    with open_page(world / "report/index.html") as page:
        drawn = page.evaluate(
            "async () => { dispatchEvent(new Event('beforeprint'));"
            " await new Promise((done) => setTimeout(done));"
            " return document.querySelectorAll('.drawing svg[role=img]').length; }"
        )
        assert drawn == len(plots)


@pytest.mark.browser
@needs_chromium
def test_a_click_on_a_legend_keeps_one_series_and_the_wheel_scrolls_the_page(world):
    with open_page(world / "report/index.html") as page:
        draw_all(page)
        page.locator("#plot-loss").scroll_into_view_if_needed()
        faint = page.locator("#plot-loss svg g.mark-line path[opacity='0.12']")
        expect(faint).to_have_count(0)
        page.locator("#plot-loss svg .role-legend-label text", has_text="kto").first.click()
        expect(faint).to_have_count(1)
        before = page.evaluate("scrollY")
        page.locator("#plot-loss svg").hover()
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(500)
        assert page.evaluate("scrollY") < before
