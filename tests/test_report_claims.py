import csv
import io
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from browsing import needs_chromium, open_page
from feedback_lens.report.tables.claims import STATES, add, list_claims, tally
from feedback_lens.report.tables.overview import CLAIMS
from feedback_lens.report.tables.rows import Reason, Table, compare
from feedback_lens.report.tables.values import (
    BLANK,
    DASH,
    DRAWN,
    NOT_RUN,
    ours,
    ours_with_interval,
    reported,
)
from report_leaves import list_places, list_scalars
from report_page import build, data_of, section_of
from report_world import PARAMS, PUBLISHED, write_world

NOTHING = {
    "corpora": {},
    "gold_sets": {},
    "prompt_sets": {},
    "judges": {},
    "pair_judges": {},
    "run": {
        **PARAMS["run"],
        "profile": "own",
        "detection": {"detectors": []},
        "regeneration": {"regenerations": []},
        "models": {"bases": [], "corpora": [], "recipes": [], "seeds": []},
        "untrained": {"bases": []},
    },
}
PAPER = [reported(2), reported(None), reported("<.1"), DRAWN, BLANK, DASH]
OURS = [
    ours(2.0, 1),
    ours(None, 1),
    ours_with_interval([2.0, 1.0, 3.0], 1),
    ours_with_interval([5.0, 4.0, 6.0], 1),
    NOT_RUN,
]
NO_REASON = Reason()
COLUMNS = ("a", "b")


def pair(values):
    return st.tuples(st.sampled_from(values), st.sampled_from(values))


ROWS = st.lists(
    st.tuples(st.none() | pair(PAPER), st.lists(pair(OURS), max_size=3)), min_size=1, max_size=5
)


def make_table(rows, reason=NO_REASON):
    return Table(
        "Table 0",
        "",
        "",
        COLUMNS,
        tuple(
            compare(f"row {place}", published, {f"line {n}": line for n, line in enumerate(lines)})
            for place, (published, lines) in enumerate(rows)
        ),
        reason,
    )


@given(ROWS)
def test_every_cell_of_the_paper_is_counted_in_one_state(rows):
    published = [cell for paper, _ in rows for cell in paper or () if cell not in (BLANK, DASH)]
    counted = tally(make_table(rows))
    if counted is None:
        assert not published
        return
    assert counted.cells == len(published) == sum(counted.states.values())
    assert tuple(counted.states) == STATES
    assert counted.run == counted.cells - counted.states["not run"]
    assert add([counted, counted]).cells == 2 * counted.cells


def test_of_several_figures_beside_a_cell_one_outside_is_enough():
    within, outside = OURS[2], OURS[3]
    counted = tally(make_table([((PAPER[0], BLANK), [(within, BLANK), (outside, BLANK)])]))
    assert {state: n for state, n in counted.states.items() if n} == {"outside": 1}


def test_a_cell_that_is_run_carries_the_table_s_causes_and_its_own():
    reason = Reason("As it is.", ("sample data",))
    rows = [((PAPER[0], PAPER[1]), [(OURS[0], NOT_RUN)]), ((DRAWN, PAPER[0]), [])]
    table = make_table(rows, reason)
    assert [claim.causes for claim in list_claims(table)] == [
        ("sample data",),
        ("not run", "unreadable in the source"),
        ("not run", "paper prints no numbers"),
        ("not run",),
    ]
    # rows and cells say what is not run where the rest is
    assert tally(table).causes == (
        "sample data",
        "paper prints no numbers",
        "unreadable in the source",
    )
    assert tally(make_table([((PAPER[0], PAPER[0]), [])], reason)).causes == ("not run",)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return folder, build(write_world(folder))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return build(write_world(tmp_path_factory.mktemp("empty"), NOTHING))


def claims_of(page):
    data = data_of(page, "claims")
    return [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]


def cells_of(page):
    """What is reported, by table and row a list of column and figure."""
    cells = {}
    for claim in claims_of(page):
        figure = claim["reported"], claim["reported_spread"]
        cells.setdefault((claim["table"], claim["row"]), {})[claim["column"]] = figure
    return cells


def assert_complete(page):
    cells = cells_of(page)
    for (table, row, column), figure in list_places(yaml.safe_load(PUBLISHED.read_text())):
        [name] = [name for name in cells[table, row] if name.startswith(column)]
        assert cells[table, row].pop(name) == show(table, figure), (table, row, column)
    rest = {table for (table, _), left in cells.items() if left}
    assert rest == {"Figure 2", "Figure 3", "Figure 4", "Figure 6"}  # the paper draws them


def show(table, figure):
    if figure is None:
        return "unreadable in the source", None
    if not isinstance(figure, list):
        return figure, None
    part, whole = figure
    return (100 * part / whole, None) if table == "Table 1" else (part, whole)


def test_no_figure_of_the_file_lacks_a_place():
    published = yaml.safe_load(PUBLISHED.read_text())
    placed = [scalar for _, figure in list_places(published) for scalar in list_scalars(figure)]
    # the number of conversations stands above the kappas; two dashes are no figures; the words on
    # the refusals of two corpora stand in three columns each
    assert len(list_scalars(published)) == len(placed) + 1 + 2 - 4


def test_every_figure_of_the_paper_is_a_cell_of_the_page(world):
    assert_complete(world[1])


def test_every_figure_of_the_paper_is_a_cell_where_nothing_is_run(empty):
    assert_complete(empty)
    assert {claim["state"] for claim in claims_of(empty)} == {"not run"}
    for name in CLAIMS:
        assert "not run" in section_of(empty, name.lower().replace(" ", "-"))


def test_the_overview_counts_the_cells_of_the_data(world):
    section = section_of(world[1], "claims")
    cells = {(c["table"], c["row"], c["column"]) for c in claims_of(world[1])}
    assert f'<th scope="row">All</th><td></td><td class="number">{len(cells)}</td>' in section
    for name in CLAIMS:
        assert f'>{name}</a></th><td class="says">{CLAIMS[name].split(chr(39))[0]}' in section


def test_a_row_that_is_not_run_has_a_chip_where_the_rest_of_the_table_is(world):
    section = section_of(world[1], "table-4")
    assert '<p class="causes"><span class="cause">sample data</span>' in section
    assert '<span class="cause">fewer seeds (2 of 5)</span>' in section
    assert 'WildChat, kto <span class="cause">not run</span></th>' in section


def test_the_paper_s_own_inputs_are_no_cause(tmp_path):
    arguments = write_world(tmp_path)
    counts = tmp_path / "metrics/count_feedback_gold"
    for name, sizes in {"lmsys": (74, 227), "sparse": (75, 107)}.items():
        found = json.loads((counts / f"{name}.json").read_text())
        found |= dict(zip(("conversations", "turns"), sizes, strict=True))
        (counts / f"{name}.json").write_text(json.dumps(found))
    for path in (tmp_path / "data/gold_labels").rglob("*.json"):
        path.write_text('{"model": "gpt-4o-mini"}')
    page = build(arguments)
    for anchor in ("table-1", "table-2", "table-6", "table-11"):
        assert '<p class="causes">' not in section_of(page, anchor)
    assert "unreadable in the source" in section_of(page, "table-7")


@pytest.mark.browser
@needs_chromium
def test_all_claims_can_be_saved_as_a_csv(world):
    with open_page(world[0] / "report/index.html") as page:
        with page.expect_download() as download:
            page.get_by_role("button", name="Save all claims as CSV").click()
        assert download.value.suggested_filename == "claims.csv"
        text = download.value.path().read_text(encoding="utf-8")
        assert page.complaints == []
    rows = list(csv.DictReader(io.StringIO(text)))
    expected = [
        {name: "" if value is None else str(value) for name, value in claim.items()}
        for claim in claims_of(world[1])
    ]
    assert [shown["row"] for shown in rows] == [claim["row"] for claim in expected]
    assert [float(row["difference"] or 0) for row in rows] == pytest.approx(
        [float(claim["difference"] or 0) for claim in expected]
    )
    assert [row["state"] for row in rows] == [claim["state"] for claim in expected]


@pytest.mark.browser
@needs_chromium
def test_the_overview_shows_what_lies_outside_or_is_not_run(world):
    states = {}
    for claim in claims_of(world[1]):
        cell = claim["row"], claim["column"]
        states.setdefault(claim["table"], {}).setdefault(cell, set()).add(claim["state"])
    with open_page(world[0] / "report/index.html") as page:
        rows = page.locator(".overview tbody tr")
        assert rows.count() == len(CLAIMS)
        for state in ("outside", "not run"):
            page.get_by_label("Show").select_option(state)
            wanted = [
                name for name in CLAIMS if any(state in found for found in states[name].values())
            ]
            visible = page.locator(".overview tbody tr:visible th").all_inner_texts()
            assert visible == wanted
            assert page.locator("#claims-count").inner_text() == (
                f"{len(wanted)} of {len(CLAIMS)} tables and figures"
            )
