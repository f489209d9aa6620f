import json

import pytest

from report_page import build, lines_of, read_metrics, rows_of, section_of
from report_world import PARAMS, write_world

REST = ("10.0", "–", "–")  # mean tokens, and no turns


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    arguments = write_world(folder)
    build(arguments)
    return folder, arguments


@pytest.fixture(scope="module")
def page(world):
    return (world[0] / "report/index.html").read_text(encoding="utf-8")


def build_changed(folder, **changes):
    return build(write_world(folder, {**PARAMS, **changes}))


def test_win_rates_on_the_page_equal_the_metrics_and_tell_their_ties(world, page):
    rates = read_metrics(world, "compare_replies/lmsys")["rand"]["scratch_vs_weak"]
    assert rates["without_feedback"]["win_rate"] == 1
    reported, ours, difference = rows_of(page, "table-3")["Random: scratch over weak"]
    assert (reported[2], ours[2], difference[2]) == ("88", "100 (100 to 100)", "+12")  # 100 - 88
    # three sub-conversations; the paper tells neither ties nor their number
    assert (reported[4], ours[4], difference[4]) == ("–", "0/3 (0%)", "–")


def test_a_reward_model_trained_here_is_shown_with_what_it_did_not_see(page):
    # of four pairs one is right before and three after; the sign test of two against one:
    # (3 + 1) / 8
    [line] = lines_of(page, "reward-model")
    assert line[:4] == ("ours", "4", "3", "25.0 → 75.0")
    assert line[5:] == ("2", "1", "0.5")
    section = section_of(page, "table-3")
    assert "each conversation is scored by a model that did not see it" in section
    assert "no evidence that regenerated replies are better" in section


def test_a_reward_model_that_is_not_trained_here_is_named_whatever_an_earlier_run_left(tmp_path):
    arguments = write_world(tmp_path)
    arguments[arguments.index("--reward_model") + 1] = "hub_model"
    page = build(arguments)
    assert "The reward model trained here" not in page
    assert "no evidence" not in page
    assert "scored by hub_model; the paper&#39;s reward model is sfairXC" in section_of(
        page, "table-3"
    )


def test_rows_that_stand_elsewhere_too_are_shares_of_their_split(page):
    rows = rows_of(page, "leakage")
    # nothing is known of users, and a benchmark has neither conversations nor users
    assert rows["lmsys, neg (n = 1, user known of 0)"][2] == (
        "in mt_bench",
        "–",
        "–",
        "0/1 (0%)",
        "1/1 (100%)",
    )
    assert rows["lmsys, rand (n = 3, user known of 0)"][0] == (
        "in neg",
        "0/3 (0%)",
        "–",
        "0/3 (0%)",
        "0/3 (0%)",
    )


def test_what_is_left_out_of_a_training_set_says_why(page):
    assert lines_of(page, "training-sets") == [
        ("rand_scratch", "3", "2", "0", "1", "cut off 1", "–"),
        ("kto", "2", "2", "0", "0", "–", "leaked 1"),
    ]


def test_the_training_on_the_page_is_the_mean_over_seeds(page):
    # losses after: (4.5 + 5) / 2; margins: (0.2 - 0.1) / 2, of which one of two is above zero;
    # those of the trained rows are a hundredth of the steps 66 to 130 of the last epoch
    counts = ("18", "2", "1", "6", "5.000 → 4.750")
    assert lines_of(page, "training") == [
        ("rand_scratch", "sft", *counts, "–", "–", "–"),
        ("kto", "kto", *counts, "0.050 ± 0.250", "50", "0.980"),
    ]


def test_scores_on_the_page_equal_the_metrics(world, page):
    scores = read_metrics(world, "summary")["mt_bench"]["reference"]["tiny"]["lmsys"]["kto"]
    lines = lines_of(page, "table-4")
    # row 2 of the table is kto on lmsys
    assert lines[4][1] == f"{scores['mean']:.2f} ± {scores['spread']:.2f}"
    assert lines[5][1].split(" (")[0] == f"{scores['mean'] - 6.09:+.2f}".replace("-", "−")


def test_the_score_of_a_benchmark_is_that_of_its_first_judge(tmp_path):
    judges = PARAMS["judges"]
    page = build_changed(tmp_path, judges={name: judges[name] for name in ("wild", "reference")})
    section = section_of(page, "table-4")
    assert "mt_bench, vicuna7b; ours: tiny, reference judge" in section
    assert "wildbench, vicuna7b; ours: tiny, wild judge" in section
    # the first judge of WildBench does not judge this recipe: ((7 + 1) / 2 - 5) * 20 = -20 and 0
    # are the scores of kto's seeds, -20 + 10
    rows = rows_of(page, "table-4")
    assert rows["LMSYS, rand_scratch"][1][3] == "not run"
    assert rows["LMSYS, kto"][1][3].startswith("−15.00 ±")


def test_our_first_two_judges_of_wildbench_stand_beside_the_paper_s_two(tmp_path):
    run = {**PARAMS["run"], "models": {**PARAMS["run"]["models"], "corpora": ["wildchat"]}}
    judges = {**PARAMS["judges"], "wild": {**PARAMS["judges"]["wild"], "recipes": ["base"]}}
    page = build_changed(tmp_path, run=run, judges=judges)
    section = section_of(page, "table-16")
    assert "ours: reference judge" in section
    assert "ours: wild judge" in section
    # the second judge does not judge the recipe
    _, ours, difference = rows_of(page, "table-16")["WildChat, rand_scratch"]
    assert ours == ("ours", "−15.00 ± 7.07", "not run")
    # -15 - 30.51
    assert difference[1].startswith("−45.51 (")
    assert difference[2] == "–"
    assert "not run: neg_scratch is not in run.models.recipes" in section


def test_what_a_score_leaves_out_stands_beside_it(page):
    rows = rows_of(page, "score-details")
    # ratings 4, 6, none, 8, 5, 4 + 0 + 4 % 4: mean 27 / 5; with 1 or 10 for the unread one 28 / 6
    # and 37 / 6; turns (4 + 5) / 2 and (6 + 8 + 4) / 3
    assert rows["mt_bench, reference judge, tiny"][0] == (
        "untrained",
        "5.40",
        "1",
        "4.67 to 6.17",
        "1",
        "6",
        "6",
        "0",
        "10.0",
        "4.50",
        "6.00",
    )
    # ((7 + 1) / 2 - 5) * 20 and ((8 + 1) / 2 - 5) * 20: -20 and -10; no judgment is unscored
    kto = rows["wildbench, wild judge, tiny"][0]
    assert kto == ("lmsys, kto", "−15.00 ± 7.07", "2", "–", "0", "4", "4", "2", *REST)


def test_wildbench_s_way_of_leaving_out_empty_answers_stands_beside_all_answers(page):
    published, complete = rows_of(page, "categories-wildbench")["wild judge, tiny"]
    # the answers with text are rated 7 and 8: ((7.5) - 5) * 20; two groups of weights 0.5 and 1.25
    # of 4.75 in all: 50 * 1.75 / 4.75
    assert published == ("lmsys, kto", "50.00", "50.00", "18.42", "2", "40")
    # creative tasks with the empty answer: -15; (1.25 * 50 - 0.5 * 15) / 1.75
    assert complete == ("lmsys, kto, with all answers", "50.00", "−15.00", "31.43", "", "")


def test_the_categories_of_mt_bench_have_no_weighted_mean(page):
    # math is question 2: one is unread and one 8; writing the others: (4 + 6 + 5 + 4) / 4
    rows = rows_of(page, "categories-mt_bench")["reference judge, tiny"]
    assert rows[0] == ("untrained", "8.00", "4.75")
    assert "weighted mean" not in section_of(page, "categories-mt_bench")


def test_draws_of_one_judgment_tell_how_far_they_are_apart(tmp_path):
    arguments = write_world(tmp_path)
    path = tmp_path / "metrics/summary.json"
    summary = json.loads(path.read_text())
    summary["mt_bench"]["reference"]["tiny"]["base"]["spread_repetitions"] = 0.25
    path.write_text(json.dumps(summary))
    first = lines_of(build(arguments), "score-details")[0]
    assert first[1] == "5.40; 0.25 between draws"


def test_p_values_on_the_page_equal_the_metrics(world, page):
    test = read_metrics(world, "significance")["mt_bench"]["reference"]["tiny"]["lmsys"]["kto"]
    found = {line[0]: line[1] for line in lines_of(page, "table-17") if len(line) > 2}
    assert found["ours"] == f"{test['p']:.3g}"
    assert found["ours, Holm"] == f"{test['p_holm']:.3g}"
    assert found["ours, questions and seeds"] == f"{test['runs']['p']:.3g}"
    assert test["runs"]["p"] != test["p"]


def test_the_size_of_a_difference_stands_beside_its_p(world, page):
    test = read_metrics(world, "significance")["mt_bench"]["reference"]["tiny"]["lmsys"]["kto"]
    [line] = rows_of(page, "differences")["mt_bench, reference judge, tiny"]
    # kto has 4 + seed + 3 % 4 where rand_scratch has 4 + seed + 12 % 4, of one turn of three
    # questions: 3 / 2 / 3
    assert line[1].startswith("0.50 (")
    assert line[2:] == ("3", f"{test['t']:.2f}", f"{test['p']:.3g}", f"{test['p_holm']:.3g}")


def test_comparisons_in_pairs_tell_ties_and_whether_the_orders_agree(page):
    # of two questions and two seeds one is won in both orders, one a tie: (1 + 0.5) / 2
    [line] = rows_of(page, "answer-pairs")["mt_bench, order judge, tiny, over rand_scratch"]
    assert line[0] == "lmsys, kto"
    assert line[1].startswith("75.0 (")
    assert line[2:] == ("4", "2", "0", "50.0")


def test_without_a_judge_of_pairs_there_is_no_table_of_them(tmp_path):
    assert "Answer pairs" not in build_changed(tmp_path, pair_judges={})


def test_a_base_that_has_fewer_recipes_or_no_judge_is_shown_as_far_as_it_goes(tmp_path):
    further = {"bases": ["small"], "corpora": ["lmsys"], "recipes": ["rand_scratch"], "seeds": [1]}
    judges = {"reference": {**PARAMS["judges"]["reference"], "bases": ["small"]}}
    run = {**PARAMS["run"], "further_models": further, "untrained": {"bases": ["tiny", "small"]}}
    page = build_changed(tmp_path, run=run, judges=judges, pair_judges={})
    assert [
        line[0] for line in rows_of(page, "score-details")["mt_bench, reference judge, small"]
    ] == [
        "untrained",
        "lmsys, rand_scratch",
    ]
    assert lines_of(page, "training")[2][0] == "rand_scratch"
    assert "no judge judges it" in section_of(page, "table-4")


def test_judges_are_said_by_their_models(page):
    assert "<td>no model; mt_bench, wildbench</td>" in page
    assert "<td>some-judge; wildbench; recipes kto alone</td>" in page
    assert "<td>some-judge; mt_bench; against rand_scratch</td>" in page
    assert "judged by reference (no model), wild (some-judge), not GPT-4" in page


def test_the_paper_s_judge_is_no_reason_for_a_difference(tmp_path):
    arguments = write_world(tmp_path)
    for path in (tmp_path / "data/judgments/answers").rglob("*.json"):
        path.write_text('{"model": "gpt-4"}')
    assert "not GPT-4" not in build(arguments)
