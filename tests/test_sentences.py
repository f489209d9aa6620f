import numpy as np
import pytest

from dialogues import dialogue
from feedback_lens.feedback.local.embedding import embed
from feedback_lens.feedback.local.sentences import embed_turns


def test_features_are_the_turn_the_one_before_their_product_and_cosine():
    conversations = [dialogue("a", "one", "m"), dialogue("b", "one", "m", "two", "m", "three")]
    features, keys = embed_turns(conversations)
    assert keys == [("b", 2), ("b", 3)]
    one, two, three = embed(["one", "two", "three"], "test")
    assert features.shape == (2, 3 * 384 + 1)
    first, second = features.toarray()
    assert first == pytest.approx(np.hstack([two, one, two * one, two @ one]), abs=1e-5)
    assert second == pytest.approx(np.hstack([three, two, three * two, three @ two]), abs=1e-5)


def test_conversations_without_a_second_turn_have_no_features():
    features, keys = embed_turns([dialogue("a", "one", "m")])
    assert (features.shape, keys) == ((0, 1153), [])
    assert embed_turns([])[1] == []
