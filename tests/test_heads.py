import numpy as np
import pytest
from scipy import sparse

from feedback_lens.feedback.local.heads import Heads, fit_heads, softmax


def make_data(rows=120, seed=3):
    """Three classes along two columns of very different scale, one column that never changes."""
    generator = np.random.default_rng(seed)
    labels = np.array(["a", "b", "c"])[np.arange(rows) % 3]
    centers = {"a": (0, 5000), "b": (1, 5000), "c": (0, 9000)}
    noise = generator.normal(size=(rows, 2)) * (0.4, 1500)
    points = np.array([centers[label] for label in labels]) + noise
    features = sparse.csr_array(np.hstack([points, np.ones((rows, 1))]))
    return features, list(labels), np.arange(rows) // 3 % 4


def test_each_row_is_scored_by_its_own_head():
    coefficients = np.array([[[1.0, 0], [0, 0]], [[0, 0], [0, 1.0]]])
    heads = Heads(("a", "b"), coefficients, np.array([[0.0, 0], [0, 0.5]]), np.ones(2))
    rows = sparse.csr_array([[2.0, 3.0], [2.0, 3.0]])
    # head 0: (2, 0); the last: (0, 3 + 0.5)
    assert heads.score(rows, np.array([0, -1])) == pytest.approx(np.array([[2, 0], [0, 3.5]]))


def test_probabilities_are_those_of_logits_over_the_head_s_temperature():
    intercepts = np.log([[3.0, 1.0], [9.0, 1.0]])
    heads = Heads(("a", "b"), np.zeros((2, 2, 1)), intercepts, np.array([1.0, 2.0]))
    rows, which = sparse.csr_array([[1.0], [1.0]]), np.array([0, -1])
    # odds 3 : 1; odds 9 : 1 at temperature 2 are 3 : 1
    assert heads.probabilities(rows, which) == pytest.approx(np.array([[0.75, 0.25]] * 2))
    assert heads.probabilities(rows, which, calibrated=False)[1] == pytest.approx([0.9, 0.1])


def test_large_logits_have_probabilities():
    assert softmax(np.array([[1e9, 0.0], [-1e9, 0.0]])) == pytest.approx(np.eye(2))


def test_heads_learn_what_standardized_columns_tell():
    features, labels, folds = make_data()
    heads = fit_heads(features, labels, folds, 4, 1.0, (slice(0, 3),))
    assert heads.coefficients.shape == (5, 3, 3)
    guessed = np.array(heads.classes)[heads.score(features, folds).argmax(1)]
    assert (guessed == labels).mean() > 0.75


def test_a_shift_and_scale_of_standardized_columns_changes_nothing():
    features, labels, folds = make_data()
    other = sparse.csr_array(features.toarray() * (100, 0.01, 1) + (7, -3, 0))
    first = fit_heads(features, labels, folds, 4, 1.0, (slice(0, 3),))
    second = fit_heads(other, labels, folds, 4, 1.0, (slice(0, 3),))
    ours, theirs = first.probabilities(features, folds), second.probabilities(other, folds)
    assert ours == pytest.approx(theirs, abs=1e-3)


def test_the_head_of_a_fold_does_not_know_its_labels():
    features, labels, folds = make_data()
    turned = [label if fold != 2 else "a" for label, fold in zip(labels, folds, strict=True)]
    one = fit_heads(features, labels, folds, 4, 1.0, (slice(0, 3),))
    other = fit_heads(features, turned, folds, 4, 1.0, (slice(0, 3),))
    assert (one.coefficients[2] == other.coefficients[2]).all()
    assert not (one.coefficients[-1] == other.coefficients[-1]).all()


def test_the_temperature_of_a_fold_does_not_know_its_labels():
    features, labels, folds = make_data()
    turned = [label if fold != 2 else "a" for label, fold in zip(labels, folds, strict=True)]
    one = fit_heads(features, labels, folds, 4, 1.0, (slice(0, 3),)).temperatures
    other = fit_heads(features, turned, folds, 4, 1.0, (slice(0, 3),)).temperatures
    # the labels of fold 2 count for every head but its own
    assert list(one == other) == [False, False, True, False, False]


def test_two_folds_leave_nothing_to_fit_their_temperatures_on():
    features, labels, folds = make_data()
    temperatures = fit_heads(features, labels, folds % 2, 2, 1.0, (slice(0, 3),)).temperatures
    assert list(temperatures[:2]) == [1, 1]
    assert temperatures[2] != 1


def test_a_class_that_a_fold_s_rest_lacks_is_never_chosen():
    features, _, folds = make_data(rows=12)
    labels = ["a" if fold == 0 else "b" for fold in folds]
    heads = fit_heads(features, labels, folds, 4, 1.0, (slice(0, 3),))
    assert heads.probabilities(features, np.zeros(12, dtype=int))[:, 0].max() == 0
    assert np.isfinite(heads.temperatures).all()


def test_a_block_weighs_the_same_however_many_columns_it_has():
    # each block has rows of length about one, so nine copies of its columns tell no more than one
    features, labels, folds = make_data()
    copies = sparse.csr_array(np.tile(features.toarray(), (1, 9)))
    one = fit_heads(features, labels, folds, 4, 1.0, (slice(0, 3),))
    nine = fit_heads(copies, labels, folds, 4, 1.0, (slice(0, 27),))
    ours, theirs = one.probabilities(features, folds), nine.probabilities(copies, folds)
    assert ours == pytest.approx(theirs, abs=1e-3)
