import csv

import pytest

from report_page import build, lines_of, read_metrics, rows_of, section_of
from report_world import PARAMS, write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    arguments = write_world(folder)
    build(arguments)
    return folder, arguments


@pytest.fixture(scope="module")
def page(world):
    return (world[0] / "report/index.html").read_text(encoding="utf-8")


def test_detection_on_the_page_equals_the_metrics(world, page):
    accuracy = read_metrics(world, "evaluate_detector/lmsys")["prompted"]["fine"]
    # right: NEG_2 and POS of four turns
    assert accuracy["accuracy"] == 0.5
    interval = (
        f"50.0 ({100 * accuracy['accuracy_low']:.1f} to {100 * accuracy['accuracy_high']:.1f})"
    )
    found = rows_of(page, "table-2")["Dense, the paper&#39;s prompt"]
    # all turns are listed, so the paper would count the same ones
    assert found[1][0] == "ours and as published, lmsys (n = 4)"
    # precision: two of two, Wilson's interval from 2 / (2 + 3.84); recall: two of three turns with
    # feedback, of which two are of one conversation
    assert found[1][3:5] == (interval, "100.0 (34.2 to 100.0)")
    assert found[1][5].startswith("66.7 (")


def test_the_turns_that_the_paper_would_count_stand_below_the_clean_evaluation(page):
    found = rows_of(page, "table-2")["Dense, prior work&#39;s prompt"]
    # the turn without feedback is not listed: of three turns NEG_2 and POS are right
    assert [line[0] for line in found[1::2]] == [
        "ours, lmsys (n = 4)",
        "as published, lmsys (n = 3)",
    ]
    assert found[3][1].startswith("66.7 (")
    # 66.667 - 31.5
    assert found[4][1].startswith("+35.2 (")
    assert "only those with feedback or listed in the reply" in section_of(page, "table-2")


def test_a_choice_of_turns_has_no_predictions_by_conversation(page):
    found = rows_of(page, "table-7")["prior work&#39;s prompt"]
    # two turns of three conversations are called feedback
    assert [line[1] for line in found[1::2]] == ["0.67", "–"]


def test_the_sparse_tables_are_of_the_sparse_set_alone(page):
    # its turn has NEG_1 and is called NEU
    assert lines_of(page, "table-9")[1] == (
        "ours and as published, sparse (n = 1)",
        "0.0",
        "0.0 (0.0 to 79.3)",
        "0.0",
    )


def test_a_detector_that_the_paper_has_not_stands_below(page):
    found = rows_of(page, "table-2")["Dense, local detector (not in the paper)"]
    assert [line[0] for line in found] == ["ours, lmsys (n = 4)"]


def test_feedback_by_turn_as_people_say_stands_beside_the_paper_s(page):
    rows = rows_of(page, "table-1")
    reported_line, ours_line, difference = rows["Dense, LMSYS"]
    # turn 2: NEG_2 and POS of three; 100 * 2 / 3 - 100 * 43 / 74
    assert reported_line[1:4] == ("74", "227", "43/74 (58%)")
    assert ours_line == (
        "ours, by annotators (lmsys)",
        "3",
        "4",
        "2/3 (67%, 21 to 94)",
        "1/1 (100%, 21 to 100)",  # Wilson's interval of one of one: 1 / (1 + 1.96 * 1.96) to 1
        "0/0",
        "0/0",
    )
    assert difference[1:3] == ("−71", "−223")
    assert difference[3].startswith("+8.6 (")
    assert rows["Sparse, LMSYS"][1][:3] == ("ours, by annotators (sparse)", "1", "1")
    assert rows["Dense, WildChat"][1][1].startswith("not run: gold_sets has no such set")


def test_feedback_as_the_detector_finds_it_stands_apart_from_the_paper(page):
    rows = rows_of(page, "table-1")
    # turn 2: feedback in both of the labeled turns, a third has no label
    for name in (
        "Corpus lmsys, as the prompted detector finds it",
        "Corpus team, as the keywords detector finds it",
    ):
        assert rows[name][0][1:4] == ("3", "4", "2/2 (100%, 34 to 100)")
        assert "difference" not in [line[0] for line in rows[name]]


def test_shares_of_labels_tell_how_many_turns_they_are_of(page):
    people, found = (
        "Dense, LMSYS, by annotators",
        "Corpus lmsys, as the prompted detector finds it",
    )
    # people: three labeled turns are second ones; the detector leaves one without a label
    assert rows_of(page, "figure-2")[people][1][0] == "turn 2 (n = 3), lmsys"
    assert rows_of(page, "figure-2")[found][0][0] == "turn 2 (n = 2)"
    assert rows_of(page, "figure-6")[people][1][:3] == ("turns (n = 4), lmsys", "1", "1")
    assert rows_of(page, "figure-6")[found][0][:3] == ("turns (n = 3)", "0", "1")


def test_labels_by_turn_on_the_page_equal_the_plot(world, page):
    with (world[0] / "plots/turn_distribution_gold/lmsys.csv").open(newline="") as file:
        points = [point for point in csv.DictReader(file) if point["turn"] == "2"]
    ends = ("share", "low", "high")
    shown = [
        "{:.0f} ({:.0f} to {:.0f})".format(*(100 * float(point[end]) for end in ends))
        for point in points
    ]
    assert rows_of(page, "figure-2")["Dense, LMSYS, by annotators"][1][1:] == tuple(shown)


def test_the_paper_s_kappas_stand_beside_those_of_our_annotators(page):
    rows = rows_of(page, "kappa")
    # the annotators agree on all turns: 1 - 0.7
    assert rows["Two annotators"][1][0] == "ours, lmsys: gold and kim (n = 4)"
    assert rows["Two annotators"][2] == ("difference", "+0.30", "+0.26", "+0.40")
    # labeled: NEG_2, NEU, POS for NEG_2, NEG_1, POS; 2 / 3 agree, by chance 2 / 9: 4 / 9 / (7 / 9)
    prompted = rows["The prompted detector and gold (not in the paper)"][0]
    assert prompted[0] == "ours, lmsys (n = 3)"
    assert prompted[3].startswith("0.57 (")


def test_the_agreement_of_all_pairs_is_listed(page):
    rows = rows_of(page, "agreement")["Dense, LMSYS (gold set lmsys)"]
    # five label sets: gold, kim and three detectors
    assert len(rows) == 10
    pair = next(line for line in rows if line[0] == "prompted and prior")
    # the turn that neither labels is in no kappa
    assert pair[4:] == ("3", "1")


def test_toxicity_on_the_page_equals_the_metrics(world, page):
    metrics = read_metrics(world, "score_toxicity/lmsys")
    lines = rows_of(page, "figure-3")["LMSYS"]
    assert lines[0] == ("reported", "drawn", "drawn", "drawn")
    assert lines[1] == ("prompts with a score by local", "8", "3", "1")
    assert lines[2] == ("prompts without a score", "0", "0", "1")
    # turns 1, 1 and 2 score 0.1, 0.1 and 0.2
    ends = f"{metrics['rand']['low']:.3f} to {metrics['rand']['high']:.3f}"
    assert lines[3][2] == f"0.133 ({ends})"
    assert lines[4][2] == "0.100 (0.100 to 0.150)"
    # seven of eight prompts of negative feedback score 0.9 or more
    assert lines[5] == ("percent above 0.5", "87.5", "0.0", "0.0")


def test_rank_tests_on_the_page_equal_the_metrics(world, page):
    test = read_metrics(world, "score_toxicity/lmsys")["rank_tests"]["neg_vs_rand"]
    assert test["p"] < test["p_holm"]
    p, corrected = f"{test['p']:.3g}", f"{test['p_holm']:.3g}"
    lines = rows_of(page, "figure-3")["LMSYS"]
    assert [line[1] for line in lines[6:]] == [p, corrected]
    # seven of eight are above the three random ones; the eighth ties with two of them: 22 / 24
    found = rows_of(page, "rank-tests")["lmsys, toxicity"][0]
    assert found[:4] == ("negative and random", p, corrected, "0.92")


def test_refusals_are_shown_by_both_methods_with_intervals(page):
    rows = rows_of(page, "refusals")
    # one reply of negative feedback; all hold a phrase, no cluster refuses; Wilson's 0 to 0.793
    assert rows["LMSYS"][1][1] == "0.0 (0.0 to 79.3)"
    assert rows["LMSYS"][2][1] == "100.0 (20.7 to 100.0)"
    assert rows["lmsys, in detail (not in the paper)"][1][2] == "0 / 0 / 3 / 0"
    assert "team (not in the paper)" in rows


def test_a_cluster_is_shown_by_the_reply_nearest_to_its_center(page):
    lines = rows_of(page, "refusal-clusters")["lmsys (1 of 1 clusters)"]
    assert len(lines) == 1
    assert lines[0][:4] == ("0: answers", "5", "0.25", "100")
    assert lines[0][4].startswith("nearest &lt;/script&gt;&lt;script&gt;")


def test_prompt_sets_are_rated_beside_the_splits(page):
    # 12 and 14 tokens; four of seven criteria: 4 / 7
    assert rows_of(page, "table-15")["mt_bench"][1][1:3] == ("2", "13.00 (12.00 to 14.00)")
    assert rows_of(page, "table-15")["team_prompts (not in the paper)"][0][1] == "2"
    assert "tokens by words (counting: texts)" in section_of(page, "table-15")
    rows = rows_of(page, "table-12")
    assert rows["team_prompts (not in the paper)"][0][-1] == "0.571 (0.571 to 0.571)"
    assert rows["LIMA"][1][1] == "not run: prompt_sets has no lima"


def test_lima_stands_beside_the_paper_s_where_it_is_rated(tmp_path):
    arguments = write_world(tmp_path, {**PARAMS, "prompt_sets": {"lima": {}}})
    # 4 / 7 - 0.316
    assert rows_of(build(arguments), "table-12")["LIMA"][2][-1] == "+0.255"


def test_the_local_detector_stands_beside_its_baselines(page):
    # gold NEG_2, NEG_1, POS, NEU. Keywords: NEG_1 has F1 2/3, NEG_2 0, the others 1: 2.667 / 4, and
    # so have the embeddings; majority: 2 of 4 are negative, NEG_2 has F1 0.4: 0.4 / 4
    rows = rows_of(page, "local-detector")
    assert rows["Out of fold"] == [
        ("local detector (n = 4)", "100.0", "100.0", "100.0"),
        ("sentence embeddings (all-MiniLM-L6-v2) (n = 4)", "100.0", "75.0", "66.7"),
        ("keywords (n = 4)", "100.0", "75.0", "66.7"),
        ("most frequent label (n = 4)", "50.0", "25.0", "10.0"),
    ]
    # 100 - 75 and 100 - 66.7
    assert [line[0] for line in rows["Differences"]] == ["local − minilm", "local − keywords"]
    assert [cell.split()[0] for cell in rows["Differences"][1][1:]] == ["0.0", "25.0", "33.3"]


def test_the_calibration_is_shown_before_and_after(page):
    # all right at 0.775, before at 0.5 * 0.775 + 0.125: ECE 1 - 0.5125 and 1 - 0.775
    assert lines_of(page, "calibration")[0][1] == "48.8 → 22.5"
    assert "<figcaption>Accuracy by confidence, out of fold (shares of turns) <" in page


def test_a_corpus_or_recipe_that_is_not_run_says_why(page):
    assert "not run: wildchat is not in corpora" in section_of(page, "figure-3")
    assert "not run: wildchat is not in run.models.corpora" in section_of(page, "table-13")
    assert "not run: neg_semantic is not in run.models.recipes" in page


def test_a_corpus_that_is_only_analyzed_is_in_no_table_of_training(page):
    for anchor in ("figure-3", "figure-4", "table-12", "refusals"):
        assert "team" in section_of(page, anchor)
    for anchor in ("table-4", "table-17"):
        assert "team" not in section_of(page, anchor)
    assert "Win rates team" not in page


def test_a_table_without_anything_run_says_so_once(tmp_path):
    run = {**PARAMS["run"], "detection": {"detectors": ["prompted"]}}
    page = build(write_world(tmp_path, {**PARAMS, "run": run}))
    section = section_of(page, "table-8")
    assert section.count("not run: prior is not in run.detection.detectors") == 1
    assert "Why ours differ" not in section
