"""What each template of a plot draws of its points, by numbers counted by hand, and its colors."""

import json
import re

import pytest
import vl_convert
import yaml

from feedback_lens.feedback.labeling import DETECTORS
from feedback_lens.feedback.labels import DESCRIPTIONS, FINE
from feedback_lens.report.plots.plot import HERE, Plot

DEFINITIONS = yaml.safe_load((HERE / "plots.yaml").read_text())["plots"]
TEMPLATES = {path.stem: path.read_text() for path in (HERE / "templates").glob("*.json")}
STYLE = (HERE.parent / "page/style.css").read_text()


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


def test_labels_in_all_tell_how_many_turns_they_are_of():
    points = [
        {"label": label, "count": count, "share": count / 1200, "low": 0, "high": 1}
        for label, count in {"NEG_1": 300, "NEU": 900}.items()
    ]
    assert "lmsys (n = 1,200)" in draw("label_distribution", points)


def test_a_confusion_matrix_counts_the_turns_of_a_detector_and_shows_zeros():
    points = [
        {"detector": detector, "actual": "POS", "predicted": predicted}
        for detector, found in {"local": ("POS", "POS", "NEU"), "kim": ("NEU",)}.items()
        for predicted in found
    ]
    svg = draw("confusion", points)
    assert "lmsys, local detector" in svg and "lmsys, annotator kim" in svg
    marks = [mark for mark in marks_of(svg) if "turns: " in mark and "gold label: POS" in mark]
    local = {
        re.search(r"predicted(?: label)?: (\w+)", mark)[1]: re.search(r"turns: (\d+)", mark)[1]
        for mark in marks
        if "local" in mark
    }
    assert local == {**dict.fromkeys(FINE, "0"), "POS": "2", "NEU": "1"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [*((name, f"{name} detector") for name in DETECTORS), ("annotator 1", "annotator 1")],
)
def test_a_confusion_matrix_says_who_labeled(name, shown):
    points = [{"detector": name, "actual": "POS", "predicted": "POS"}]
    assert f">lmsys, {shown}<" in draw("confusion", points)


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
