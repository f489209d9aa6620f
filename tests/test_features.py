import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogues import dialogue
from feedback_lens.feedback.local.exchanges import describe_exchange
from feedback_lens.feedback.local.features import (
    FEATURES,
    STANDARDIZED,
    build_features,
    hash_words,
    list_exchanges,
)
from feedback_lens.feedback.local.tokens import load_tokens


def test_a_row_holds_vectors_descriptions_and_words():
    conversations = [dialogue("a", "one", "m"), dialogue("b", "one", "m", "two", "m", "three")]
    features, keys = build_features(conversations)
    assert keys == [("b", 2), ("b", 3)]
    assert features.shape == (2, FEATURES)
    one, two, three = (reading.vector for reading in load_tokens().read(["one", "two", "three"]))
    vectors, described = STANDARDIZED
    rows = features.toarray()
    assert rows[0, vectors] == pytest.approx(np.hstack([two, one, two * one]))
    assert rows[1, vectors] == pytest.approx(np.hstack([three, two, three * two]))
    last = list(list_exchanges(conversations[1]))[1]
    assert rows[1, described] == pytest.approx(
        np.array(list(describe_exchange(last).values()), dtype=float)
    )
    # the word and the pair of the beginning and the word: each 1 / sqrt(2)
    assert sorted(rows[1, described.stop :])[-3:] == pytest.approx([0, 0.5**0.5, 0.5**0.5])


def test_conversations_without_a_second_turn_have_no_features():
    features, keys = build_features([dialogue("a", "one", "m")])
    assert (features.shape, keys) == ((0, FEATURES), [])
    assert build_features([])[1] == []


def test_words_weigh_by_the_logarithm_of_their_count():
    # no no no: the word and its pair; "no" and (no, no) stand 3 and 2 times, (begin, no) once
    columns, weights = hash_words(load_tokens().read(["no no no"])[0])
    raw = np.array([1, 1 + np.log(2), 1 + np.log(3)])
    assert sorted(weights) == pytest.approx(raw / np.linalg.norm(raw))
    assert (np.diff(columns) > 0).all()


def test_the_order_of_words_and_the_word_a_turn_begins_with_are_seen():
    columns = [set(hash_words(r)[0]) for r in load_tokens().read(["not that", "that not", "that"])]
    words = columns[0] & columns[1]
    assert len(words) == 2  # not, that; each also has a beginning and a pair of its own
    assert columns[1] - words > columns[2] - words  # begins with "that"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=7))
def test_any_text_has_finite_features(texts):
    features, keys = build_features([dialogue("a", *texts)])
    assert len(keys) == (len(texts) - 1) // 2
    assert np.isfinite(features.data).all()
