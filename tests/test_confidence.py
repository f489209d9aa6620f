import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_lens.calls.request import Response
from feedback_lens.feedback.prompted.confidence import find_probability, find_values


def response(*tokens):
    return Response("answered", "".join(token for token, _ in tokens), logprobs=tokens)


def test_the_values_of_a_key_are_found_without_their_quotes():
    text = '{"a": [{"b": "one", "c": "b"}, {"c" : "\\"b\\": \\"no\\"", "b"\n:\t"two"}]}'
    assert [text[start:end] for start, end in find_values(text, "b")] == ["one", "two"]


@given(st.lists(st.text()))
def test_whatever_strings_hold_each_is_found_once(texts):
    raw = json.dumps([{"category": text, "text": text} for text in texts])
    found = [raw[start:end] for start, end in find_values(raw, "text")]
    assert [json.loads(f'"{value}"') for value in found] == texts


def test_the_probability_is_the_product_over_the_tokens_that_overlap():
    found = response(("ab", -1.0), ("cd", -0.25), ("", -0.5), ("ef", -0.25), ("gh", -1.0))
    # of cde: the tokens cd, the empty one and ef; exp(-1.0)
    assert find_probability(found, (2, 5)) == pytest.approx(math.exp(-1.0), abs=5e-5)
    # of d alone: cd as a whole; exp(-0.25)
    assert find_probability(found, (3, 4)) == 0.7788


@pytest.mark.parametrize(
    "found",
    [
        Response("answered", "abc"),
        Response("answered", "abc", logprobs=(("ab", -1.0),)),
        response(("abc", math.nan)),
    ],
)
def test_without_the_tokens_of_the_text_the_probability_is_unknown(found):
    assert find_probability(found, (0, 3)) is None


@pytest.mark.parametrize(("logprob", "expected"), [(-math.inf, 0.0), (-9999.0, 0.0), (0.001, 1.0)])
def test_the_probability_stays_between_0_and_1(logprob, expected):
    assert find_probability(response(("abc", logprob)), (0, 3)) == expected


@given(
    st.lists(st.tuples(st.text(max_size=3), st.floats()), max_size=8),
    st.integers(0, 10),
    st.integers(0, 10),
)
def test_any_tokens_give_a_probability_or_none(tokens, start, length):
    found = find_probability(response(*tokens), (start, start + length))
    assert found is None or 0 <= found <= 1
