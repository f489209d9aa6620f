import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.analysis.prompt_rules import rate_by_rules


@pytest.mark.parametrize(
    ("text", "met", "difficulty"),
    [
        ("hi there", set(), 1),
        ("Write a poem of 4 lines", {1, 5}, 1),
        # code is domain knowledge, problem solving and technical accuracy: 1 + 3
        ("Sort this in Python", {2, 4, 6}, 4),
        ("a letter to my boss", {7}, 1),
        # five constraints: comma, and, but, comma, semicolon
        ("red, green and blue but pale, warm; soft", {3}, 2),
        ("red, green and blue but pale, warm", set(), 1),
    ],
)
def test_surface_cues_decide(text, met, difficulty):
    assert rate_by_rules(text) == (met, difficulty)


@given(st.text())
def test_ratings_stay_on_their_scales(text):
    met, difficulty = rate_by_rules(text)
    assert met <= set(range(1, 8))
    assert 1 <= difficulty <= 5
