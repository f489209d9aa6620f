import pytest

from feedback_lens.calls.request import OUTCOMES
from feedback_lens.training.exclusions import REASONS, AssemblyRules, Candidate, sift

REFUSAL = "I'm sorry, but I can't help with that."
ROW = {"split": "neg", "conversation_id": "a", "turn": 1}
LEAKED = {("neg", "a", 1)}


def find(reply, outcome="answered", desirable=None, leaked=(), **rules):
    """The reason why a reply is left out, or those despite which it is kept."""
    rules = {"drop_refusals": True, "refusal_opening": 200, "drop_leaked": True} | rules
    candidate = Candidate(ROW, reply, outcome, desirable)
    found = sift([candidate], set(leaked), AssemblyRules(held_out_share=0.0, **rules))
    assert len(found.kept) + found.excluded.total() == 1
    return dict(found.excluded), dict(found.despite)


def test_a_whole_reply_is_an_example():
    assert find("Apple.") == ({}, {})


@pytest.mark.parametrize("outcome", [o for o in OUTCOMES if o != "answered"])
def test_a_reply_that_is_not_whole_is_none_whatever_the_rules(outcome):
    assert outcome in REASONS
    assert find("App", outcome, drop_refusals=False, drop_leaked=False) == ({outcome: 1}, {})


@pytest.mark.parametrize("reply", [None, "", " \n"])
def test_a_blank_reply_is_none(reply):
    assert find(reply) == ({"empty": 1}, {})


def test_a_reply_that_refuses_in_its_opening_is_left_out_by_rule():
    assert find(REFUSAL) == ({"refusal_phrase": 1}, {})
    assert find(REFUSAL, drop_refusals=False) == ({}, {"refusal_phrase": 1})
    late = "Here is a recipe. " + REFUSAL  # 18 characters before it
    assert find(late, refusal_opening=18) == ({}, {})
    assert find(late, refusal_opening=200) == ({"refusal_phrase": 1}, {})


def test_kto_learns_no_refusal_but_may_unlearn_one():
    assert find(REFUSAL, desirable=True) == ({"refusal_phrase": 1}, {})
    assert find(REFUSAL, desirable=False) == ({}, {})


def test_the_first_reason_that_a_rule_drops_counts():
    assert find(REFUSAL, leaked=LEAKED) == ({"refusal_phrase": 1}, {})
    assert find(REFUSAL, leaked=LEAKED, drop_refusals=False) == ({"leaked": 1}, {})
    assert find(REFUSAL, "cut_off", leaked=LEAKED) == ({"cut_off": 1}, {})
    kept = {"refusal_phrase": 1, "leaked": 1}
    assert find(REFUSAL, leaked=LEAKED, drop_refusals=False, drop_leaked=False) == ({}, kept)
