import pytest

from browsing import needs_chromium, open_page
from feedback_lens.tables import read_rows
from report_page import build
from report_world import HOSTILE, write_world

LINK = "#answers?benchmark=mt_bench&question=2&a=tiny/lmsys/kto/1&b=tiny/lmsys/rand_scratch/1"
pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    build(write_world(folder))
    return folder / "report/index.html"


def rows_of(path, table, **wanted):
    rows = read_rows(path.parents[1] / "data" / f"{table}.parquet")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def texts_of(page, selector):
    return page.locator(f"#answers {selector}").all_text_contents()


def chosen(page, name):
    return page.locator(f"#answers-{name} option:checked").inner_text()


def choose(page, name, label):
    page.locator(f"#answers-{name}").select_option(label=label)


def test_two_models_are_picked_and_their_words_and_scores_are_the_tables_own(path):
    with open_page(path, "#answers") as page:
        page.locator("#answers-question").select_option(index=1)
        choose(page, "a", "tiny, lmsys, kto, seed 1")
        choose(page, "b", "tiny, lmsys, rand_scratch, seed 2")
        assert page.complaints == []
        assert texts_of(page, ".answers-exchange > .user") == ["What is 2 + 2?", "And 3 + 3?"]
        for side, recipe, seed in (("a", "kto", 1), ("b", "rand_scratch", 2)):
            answers = rows_of(path, f"answers/tiny/lmsys/{recipe}/{seed}/mt_bench", question_id="2")
            shown = texts_of(page, f".side-{side} .answer")
            assert shown == [row["answer"] for row in answers]
            table = "judgments/answers/reference/mt_bench"
            judged = rows_of(path, table, recipe=recipe, seed=seed, question_id="2")
            # the first turn's verdict could not be read
            assert [row["score"] for row in judged] == [None, 8.0]
            told = texts_of(page, f".side-{side} .answers-verdict")
            stand_in = "reference judge, a stand-in"
            assert told == [f"no score: unreadable {stand_in}", f"8.00 {stand_in}"]
            assert texts_of(page, f".side-{side} .words") == [row["judgment"] for row in judged]


def test_a_link_restores_what_it_names_and_the_way_back_works(path):
    with open_page(path, LINK) as page:
        assert chosen(page, "question") == "2: What is 2 + 2?"
        assert chosen(page, "a") == "tiny, lmsys, kto, seed 1"
        page.locator("#answers-next").click()
        page.locator("#answers-swap").click()
        swapped = "question=3&a=tiny/lmsys/rand_scratch/1&b=tiny/lmsys/kto/1"
        assert page.evaluate("location.hash") == f"#answers?benchmark=mt_bench&{swapped}"
        assert chosen(page, "a") == "tiny, lmsys, rand_scratch, seed 1"
        page.go_back()
        page.go_back()
        assert page.evaluate("location.hash") == LINK
        assert chosen(page, "question") == "2: What is 2 + 2?"
        assert chosen(page, "a") == "tiny, lmsys, kto, seed 1"
        page.go_forward()
        assert chosen(page, "question") == "3: A poem on rain."
        # the address of another part of the page leaves it alone
        page.evaluate("location.hash = '#conversations?text=x'")
        assert chosen(page, "question") == "3: A poem on rain."


def test_a_link_to_what_the_page_lacks_says_so(path):
    with open_page(path, LINK.replace("question=2", "question=99")) as page:
        status = page.locator("#answers-status").inner_text()
        assert "This page lacks what the link names: question 99." in status
        assert chosen(page, "a") == "tiny, lmsys, kto, seed 1"


def test_search_finds_words_of_questions_and_of_answers(path):
    with open_page(path) as page:
        entries = page.evaluate("history.length")
        page.locator("#answers-text").fill("POEM")
        assert chosen(page, "question") == "3: A poem on rain."
        assert page.locator("#answers-question option").count() == 1
        assert texts_of(page, "mark") == ["poem"]
        assert page.evaluate("history.length") == entries
        page.locator("#answers-text").fill("kto/2 to 2")
        assert chosen(page, "question") == "2: What is 2 + 2?"
        page.locator("#answers-text").fill("(nowhere")
        assert "No question has it" in page.locator("#answers-status").inner_text()
        page.locator("#answers-text").fill("")
        page.locator("#answers-category").select_option("writing")
        assert page.locator("#answers-question option").count() == 2


def test_the_list_of_differences_begins_with_the_widest(path):
    with open_page(path, LINK) as page:
        rows = page.locator("#answers-differences tbody tr").all_inner_texts()
        # turns of question 3: 5 and 4 + seed + length of the recipe % 4, 8 for kto and 5 for
        # rand_scratch; the others are judged alike: 4 and 6, unscored and 8
        assert [row.split("\t")[1:] for row in rows] == [
            ["6.50", "5.00", "+1.50"],
            ["5.00", "5.00", "±0.00"],
            ["8.00", "8.00", "±0.00"],
        ]
        page.locator("#answers-differences tbody button").first.press("Enter")
        assert chosen(page, "question") == "3: A poem on rain."
        # the focus stays where it was, and a head sorts
        assert page.evaluate("document.activeElement.textContent") == "3: A poem on rain."
        page.locator("#answers-differences th button").first.click()
        assert (
            page.locator("#answers-differences th").first.get_attribute("aria-sort") == "ascending"
        )


def test_the_models_on_a_question_are_means_over_seeds_and_can_be_picked(path):
    with open_page(path, LINK.replace("question=2", "question=3")) as page:
        rows = page.locator("#answers-overview tbody tr").all_inner_texts()
        # kto: seed 1 (5 + 8) / 2, seed 2 (5 + 9) / 2; rand_scratch: (5 + 5) / 2, (5 + 6) / 2
        assert [" ".join(row.split()[2:]) for row in rows] == [
            "tiny, lmsys, kto 6.75 2 10",
            "tiny, lmsys, rand_scratch 5.25 2 10",
            "tiny, untrained 4.50 1 10",
        ]
        page.get_by_role("button", name="tiny, untrained as model B").click()
        assert chosen(page, "b") == "tiny, untrained"
        assert texts_of(page, ".side-b .answers-empty") == ["No answer: failed."]


def test_the_verdicts_of_two_orders_are_from_the_sides_that_are_shown(path):
    with open_page(path, LINK) as page:
        told = [
            "A wins order judge (some-judge), shown A's answer first, as “Assistant A”",
            "B wins order judge (some-judge), shown B's answer first, as “Assistant A”",
        ]
        assert texts_of(page, ".answers-orders .answers-verdict") == told
        assert texts_of(page, ".answers-orders .words") == ["in order 0: win", "in order 1: loss"]
        page.locator("#answers-swap").click()
        assert [text.partition(" wins")[0] for text in texts_of(page, ".answers-orders b")] == [
            "B",
            "A",
        ]
        choose(page, "a", "tiny, untrained")
        assert texts_of(page, ".answers-orders") == []


def test_history_checklist_and_each_judge_stand_with_a_task(path):
    link = "#answers?benchmark=wildbench&question=1&a=tiny/lmsys/kto/1&b=tiny/base&judge=wild"
    with open_page(path, link) as page:
        assert texts_of(page, ".answers-message .answers-text") == ["Name a planet.", "Mars"]
        assert texts_of(page, ".answers-checklist li") == ["Is it named?"]
        told = [text.partition(" judge")[0] for text in texts_of(page, ".side-a .answers-verdict")]
        assert told == ["7.00 wild", "7.00 reference"]
        untrained = texts_of(page, ".side-b .answers-verdict")
        assert untrained[0] == "Not judged by the wild judge (some-judge)."
        page.locator("#answers-next").click()
        assert texts_of(page, ".side-a .answers-outcome") == ["cut off at the longest length"]
        assert texts_of(page, ".side-a .answers-empty") == ["The answer is empty."]


def test_a_hostile_question_and_answer_are_text(path):
    with open_page(path, LINK.replace("question=2", "question=1")) as page:
        assert page.title() == "Feedback Lens: report"
        assert page.complaints == []
        assert HOSTILE in texts_of(page, ".answers-exchange > .user")[0]
        assert HOSTILE in texts_of(page, ".side-a .answer")[0]
        assert page.locator("#answers img, #answers script").count() == 0
        assert page.locator("#answers .side-a .answer").first.get_attribute("dir") == "auto"


def test_on_a_phone_the_answers_are_stacked_and_nothing_is_wider_than_the_window(path):
    with open_page(path, LINK, viewport={"width": 400, "height": 800}) as page:
        a, b = (page.locator(f"#answers .side-{side} .answer").first for side in "ab")
        assert b.bounding_box()["y"] > a.bounding_box()["y"]
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wide)
