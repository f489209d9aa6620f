"""The browser of conversations: its links, its keyboard, and texts that mean it no good."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from browsing import needs_chromium, open_page
from feedback_lens.logs.conversation import CONVERSATIONS, Conversation, Message
from feedback_lens.report.page.build import escape_json
from feedback_lens.tables import write_rows
from report_facts import write_facts
from report_page import build, data_of
from report_world import HOSTILE, write_world

pytestmark = [pytest.mark.browser, needs_chromium]
COUNT = 130
ODD = ("__proto__", "a\"b'/c d#e?f%41&<i>x</i>\u202e\u2028", "constructor")
TEXTS = (
    HOSTILE,
    "\u202eright to left\u0000 and \u200b none",
    "w" * 5000,
    "<!-- <script> ]]>",
    "שלום abc",
)


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    return write_facts(tmp_path_factory.mktemp("browser"), COUNT)


def test_the_address_holds_the_filters_and_goes_back_and_forth(facts):
    with open_page(
        facts[0], "#conversations?label=NEG_2&words=ka&turn=nonsense&__proto__=x"
    ) as page:
        assert page.locator("[name=label]").input_value() == "NEG_2"
        assert page.locator("[name=turn]").input_value() == ""
        first = page.locator("#count").inner_text()
        lacking = "This page lacks what the link names: turn=nonsense, __proto__=x. "
        assert first.startswith(lacking)
        page.locator("[name=label]").select_option("POS")
        assert page.url.endswith("#conversations?words=ka&label=POS")
        page.locator("[name=words]").press_sequentially("lo")
        page.go_back()
        assert page.url.endswith("#conversations?words=ka&label=POS")
        page.go_back()
        expect(page.locator("[name=label]")).to_have_value("NEG_2")
        assert page.locator("#count").inner_text() == first
        page.go_forward()
        expect(page.locator("[name=label]")).to_have_value("POS")
        page.locator("#reset").click()
        assert page.locator("#count").inner_text().startswith(f"{COUNT} of {COUNT} ")
        assert page.url.endswith("#conversations")
        page.locator("[name=label]").select_option("POS")
        page.locator("#contents a", has_text="Claims").click()
        page.locator("#contents a", has_text="Conversations").click()
        expect(page).to_have_url(re.compile(r"#conversations\?label=POS$"))
        assert page.locator("[name=label]").input_value() == "POS"
        page.go_back()
        page.go_back()
        page.go_back()
        expect(page.locator("[name=label]")).to_have_value("")
        assert page.complaints == []


def test_a_link_opens_its_conversation_of_its_corpus_whatever_the_filters_are(facts):
    with open_page(
        facts[0], "#conversation-team-c60", viewport={"width": 800, "height": 600}
    ) as page:
        card = page.locator(".card[open]")
        assert card.get_attribute("data-link") == "#conversation-team-c60"
        assert card.locator("article").count() == len(facts[1]["team", "c60"]["turns"])
        assert (
            page.evaluate("document.activeElement.parentElement.dataset.link")
            == "#conversation-team-c60"
        )
        assert 0 <= card.bounding_box()["y"] < 600
        page.evaluate("location.hash = '#conversations?corpus=team'")
        expect(page.locator("[name=corpus]")).to_have_value("team")
        page.evaluate("location.hash = '#conversation-lmsys-c1'")
        page.locator("[data-link='#conversation-lmsys-c1'][open]").wait_for()
        page.evaluate("location.hash = '#conversation-lmsys-gone'")
        page.get_by_text("This page lacks what the link names: the conversation.").wait_for()
        expect(page.locator("#conversations")).to_be_in_viewport()


def test_a_corpus_may_have_a_dash_and_a_space_in_its_name(facts, tmp_path):
    page = tmp_path / "index.html"
    content = data_of(facts[0].read_text("utf-8"), "conversations")
    content["detectors"]["our-own team"] = content["detectors"].pop("team")
    for conversation in content["conversations"]:
        if conversation["corpus"] == "team":
            conversation["corpus"] = "our-own team"
    _write_with(content, facts[0], page)
    link = "#conversation-our%2Down%20team-c60"
    with open_page(page, link) as opened:
        card = opened.locator(".card[open]")
        assert card.get_attribute("data-link") == link
        assert card.locator("summary b").first.inner_text() == "our-own team"
        assert opened.complaints == []


def test_corpora_and_ids_with_dashes_are_told_apart(facts, tmp_path):
    page = tmp_path / "index.html"
    content = data_of(facts[0].read_text("utf-8"), "conversations")
    names = [("own", "team-c60"), ("own-team", "c60")]
    content["detectors"] |= dict.fromkeys(("own", "own-team"), "keywords")
    for conversation, (corpus, identifier) in zip(content["conversations"], names, strict=False):
        conversation |= {"corpus": corpus, "id": identifier}
    _write_with(content, facts[0], page)
    for link, (corpus, identifier) in zip(
        ("#conversation-own-team-c60", "#conversation-own%2Dteam-c60"), names, strict=True
    ):
        with open_page(page, link) as opened:
            card = opened.locator(".card[open]")
            assert card.locator("summary b").first.inner_text() == corpus
            assert card.locator(".facts bdi").first.inner_text() == identifier


def _write_with(content, page, path):
    """The page with other conversations."""
    start = '<script type="application/json" id="conversations-data">'
    before, _, rest = page.read_text("utf-8").partition(start)
    after = rest[rest.index("</script>") :]
    path.write_text(before + start + str(escape_json(content)) + after, "utf-8")


def test_a_card_begins_where_a_searched_word_stands(facts):
    with open_page(facts[0], "#conversations") as page:
        page.locator("[data-link='#conversation-lmsys-c1'] summary").click()
        text = page.locator("#list .card[open] .text.user").last.text_content()
        word = text.split()[-1]
        page.locator("[name=words]").fill(word.upper())
        opening = page.locator("[data-link='#conversation-lmsys-c1'] .opening mark").first
        assert opening.text_content() == word


def test_a_link_can_be_copied(facts):
    allowed = ["clipboard-read", "clipboard-write"]
    with open_page(facts[0], "#conversation-lmsys-c3", permissions=allowed) as page:
        page.get_by_role("button", name="Copy the link").click()
        page.get_by_role("button", name="Copied").wait_for()
        link = page.evaluate("navigator.clipboard.readText()")
        assert link == f"{facts[0].as_uri()}#conversation-lmsys-c3"


def test_by_keyboard_alone_a_regenerated_reply_is_read_beside_the_original(facts):
    with open_page(facts[0], "#conversations?split=neg&corpus=lmsys") as page:
        card = page.locator(".card").first
        card.locator("summary").first.focus()
        page.keyboard.press("Enter")
        again = card.locator("details.again").last
        again.locator("summary").focus()
        page.keyboard.press("Enter")
        key = tuple(card.get_attribute("data-link").removeprefix("#conversation-").split("-", 1))
        kept = again.locator(".difference > :not(del)").all_text_contents()
        assert "".join(kept) in facts[1][key]["texts"]
        original = again.locator(".difference > :not(ins)").all_text_contents()
        assert "".join(original) in facts[1][key]["texts"]
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert again.locator("del:not(.key del)").count() == 0
        assert again.locator(".text.reply").text_content() == "".join(kept)
        assert again.locator("[aria-pressed=true]").inner_text() == "Reply alone"
        scores = card.locator(".scores").first
        assert scores.locator(".best").count() == 2
        assert page.complaints == []


def test_fifty_more_are_shown_and_the_first_of_them_is_in_focus(facts):
    with open_page(facts[0], "#conversations") as page:
        assert page.locator(".card").count() == 50
        page.locator("#more").press("Enter")
        assert page.locator(".card").count() == 100
        place = (
            "[...document.querySelectorAll('.card')].indexOf(document.activeElement.parentElement)"
        )
        assert page.evaluate(place) == 50


def test_hostile_conversations_are_text_and_have_links(tmp_path):
    arguments = write_world(tmp_path)
    messages = [Message(role, text) for text in TEXTS for role in ("user", "assistant")]
    odd = [
        Conversation(odd, "team", HOSTILE, "<b>", None, "<i>", None, None, tuple(messages))
        for odd in ODD
    ]
    table = tmp_path / "data/conversations/team.parquet"
    write_rows((conversation.as_row() for conversation in odd), table, CONVERSATIONS)
    build(arguments)
    path, window = tmp_path / "report/index.html", {"width": 400, "height": 800}
    for identifier in ODD:
        link = f"#conversation-team-{quote(identifier, safe='')}"
        with open_page(path, link, viewport=window) as page:
            card = page.locator(".card[open]")
            assert card.locator(".facts bdi").text_content() == identifier
            assert card.locator(".text.user").all_text_contents() == list(TEXTS)
            assert page.title() == "Feedback Lens: report"
            assert page.locator("#list :is(img, script, i)").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            direction = "(block) => [block.dir, getComputedStyle(block).direction]"
            assert card.locator(".text.user").last.evaluate(direction) == ["auto", "rtl"]
            page.locator("[name=words]").fill("<script>")
            # each odd one of 5 turns, and c1 of 3 turns in the other corpus
            assert page.locator("#count").inner_text() == "4 of 6 conversations, 18 turns"
            assert page.complaints == []
