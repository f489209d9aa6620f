"""What the browser of conversations finds, against what the tables say."""

import pytest

from browsing import needs_chromium, open_page
from report_facts import write_facts

pytestmark = [pytest.mark.browser, needs_chromium]
COUNT = 200


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    return write_facts(tmp_path_factory.mktemp("browser"), COUNT)


def _set(page, **values):
    page.evaluate(
        """(values) => { const form = document.getElementById("filters"); form.reset();
        for (const [name, value] of Object.entries(values)) form.elements.namedItem(name).value = value;
        form.elements[0].dispatchEvent(new Event("input", { bubbles: true })); }""",
        values,
    )


def _list_found(page):
    while page.locator("#more").is_visible():
        page.locator("#more").click()
    ids = page.evaluate(
        "[...document.querySelectorAll('#list > .card')].map((card) => card.dataset.link)"
    )
    return {tuple(name.removeprefix("#conversation-").split("-", 1)) for name in ids}


def _known(labels):
    return [label for label in labels if label is not None]


TURNS = {
    "label=NEG_2": lambda i, t: t["label"] == "NEG_2",
    "label=feedback": lambda i, t: t["label"] not in (None, "NEU"),
    "label=negative": lambda i, t: (t["label"] or "").startswith("NEG"),
    "label=unlabeled": lambda i, t: i > 1 and t["label"] is None,
    "detectors=agree": lambda i, t: (
        len(_known(t["heard"])) > 1 and len(set(_known(t["heard"]))) == 1
    ),
    "detectors=differ": lambda i, t: len(set(_known(t["heard"]))) > 1,
    "detectors=gold": lambda i, t: t["gold"] is not None,
    "detectors=right": lambda i, t: t["gold"] is not None and t["gold"] == t["label"],
    "detectors=wrong": lambda i, t: t["gold"] is not None and t["gold"] != t["label"],
    "confidence=0.5": lambda i, t: bool(_known(t["sure"])) and min(_known(t["sure"])) <= 0.5,
    "turn=3": lambda i, t: i == 3,
    "turn=5": lambda i, t: i >= 5,
    "toxicity=0.2": lambda i, t: t["toxicity"] is not None and t["toxicity"] >= 0.2,
    "split=neg": lambda i, t: "neg" in t["splits"],
    "split=some": lambda i, t: bool(t["splits"]),
}


TOGETHER = (
    ("label=negative", "toxicity=0.2"),
    ("label=negative", "detectors=differ", "turn=3"),
    ("split=neg", "label=feedback", "confidence=0.5"),
)
CONVERSATIONS_OF = {
    "corpus=team": lambda key, found: key[0] == "team",
    "turns=5": lambda key, found: len(found["turns"]) >= 5,
    "language=German": lambda key, found: found["language"] == "German",
    "words=c7": lambda key, found: "c7" in "\n".join(found["texts"]).lower(),
}


def test_filters_of_turns_hold_for_one_and_the_same_turn(facts):
    with open_page(facts[0], "#conversations") as page:
        for names in (*((name,) for name in TURNS), *TOGETHER):
            expected = {
                key: [i for i, t in found["turns"].items() if all(TURNS[n](i, t) for n in names)]
                for key, found in facts[1].items()
            }
            expected = {key: turns for key, turns in expected.items() if turns}
            assert 0 < len(expected) < COUNT, names
            _set(page, **dict(name.split("=") for name in names))
            turns = sum(map(len, expected.values()))
            counted = f"{len(expected)} of {COUNT} conversations, {turns} turns"
            assert page.locator("#count").inner_text() == counted, names
            assert _list_found(page) == set(expected), names
            # a first turn has no label to stand in the closed card
            matched = sum(1 for found in expected.values() for i in found if i > 1)
            assert page.locator(".chip.matched").count() == matched, names
        assert page.complaints == []


def test_filters_of_conversations(facts):
    with open_page(facts[0], "#conversations") as page:
        for names in (*((name,) for name in CONVERSATIONS_OF), ("corpus=team", "turns=5")):
            expected = {
                key for key, found in facts[1].items()
                if all(CONVERSATIONS_OF[name](key, found) for name in names)
            }  # fmt: skip
            assert 0 < len(expected) < COUNT
            _set(page, **dict(name.split("=") for name in names))
            assert _list_found(page) == expected


def test_a_search_finds_all_words_in_any_text_also_of_regenerated_replies(facts):
    texts = {key: "\n".join(found["texts"]).lower() for key, found in facts[1].items()}
    # id, messages, and two regenerations in the end
    key = next(k for k, f in facts[1].items() if len(f["texts"]) == 2 * len(f["turns"]) + 3)
    again = facts[1][key]["texts"][-1].split()
    with open_page(facts[0], "#conversations") as page:
        for words in (again[:3], again[3:9], [again[0].upper(), key[1]]):
            _set(page, words=" ".join(words))
            expected = {k for k, text in texts.items() if all(w.lower() in text for w in words)}
            assert key in expected
            assert _list_found(page) == expected
        _set(page, words="nothing-like-this")
        assert page.locator("#count").inner_text() == f"0 of {COUNT} conversations, 0 turns"
        assert page.locator("#list").inner_text() == "No conversation is as the filters ask."


def test_a_value_that_its_field_does_not_take_filters_nothing(facts):
    with open_page(facts[0], "#conversations?confidence=7&label=POS") as page:
        told = page.locator("#count").inner_text()
        assert told.startswith("This page lacks what the link names: confidence=7. ")
        count = told.removeprefix("This page lacks what the link names: confidence=7. ")
        page.locator("[name=confidence]").fill("7")
        assert page.locator("#count").inner_text() == count
        assert page.url.endswith("#conversations?label=POS")
        page.locator("[name=confidence]").fill("0.5")
        assert page.locator("#count").inner_text() != count
        assert page.url.endswith("confidence=0.5")
