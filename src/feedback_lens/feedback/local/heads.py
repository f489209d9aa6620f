"""Linear heads over features: one for each fold, that did not see it, and one for all data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedback_lens.feedback.local.calibration import fit_temperature

Numbers = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]
# of a class that a fold's rest has not seen: it is never chosen
_NEVER = -1e9


@dataclass(frozen=True)
class Heads:
    """Multinomial logistic regressions with a temperature each.

    `coefficients` has shape `(folds + 1, classes, features)`, `intercepts` `(folds + 1, classes)`,
    `temperatures` `(folds + 1,)`; the last head is that of all data. The temperature of a fold's
    head was fitted on the other folds' scores, each by the head that had not seen it.
    """

    classes: tuple[str, ...]
    coefficients: Numbers
    intercepts: Numbers
    temperatures: Numbers

    def score(self, features: sparse.csr_array, heads: Folds) -> Numbers:
        """Logits of each row by its head (-1: all data), shape `(rows, classes)`."""
        scores = np.zeros((features.shape[0], len(self.classes)))
        for head in np.unique(heads):
            rows = np.flatnonzero(heads == head)
            scores[rows] = features[rows] @ self.coefficients[head].T + self.intercepts[head]
        return scores

    def probabilities(
        self, features: sparse.csr_array, heads: Folds, calibrated: bool = True
    ) -> Numbers:
        """Probability of each class, shape `(rows, classes)`, with or without the temperatures."""
        scores = self.score(features, heads)
        return softmax(scores / self.temperatures[heads, None] if calibrated else scores)


def fit_heads(
    features: sparse.csr_array,
    labels: Sequence[str],
    fold_of_row: Folds,
    folds: int,
    regularization: float,
    standardized: Sequence[slice],
) -> Heads:
    """Fit the heads and their temperatures.

    `standardized` are the leading blocks of columns, which are centered and scaled. Every fold must
    occur, and two labels at least.
    """
    classes = tuple(sorted(set(labels)))
    targets = np.array(labels)
    fitted = [
        _fit_head(features[rows], targets[rows], classes, regularization, standardized)
        # no row has the last number: that head sees all
        for rows in (np.flatnonzero(fold_of_row != fold) for fold in range(folds + 1))
    ]
    coefficients = np.stack([weights for weights, _ in fitted])
    intercepts = np.stack([biases for _, biases in fitted])
    plain = Heads(classes, coefficients, intercepts, np.ones(folds + 1))
    scores = plain.score(features, fold_of_row)
    actual = np.searchsorted(classes, targets)
    others = [fold_of_row != fold for fold in range(folds + 1)]
    temperatures = np.array([fit_temperature(scores[rows], actual[rows]) for rows in others])
    return Heads(classes, coefficients, intercepts, temperatures)


def softmax(scores: Numbers) -> Numbers:
    """Probabilities of logits, shape `(rows, classes)`."""
    exponentials = np.exp(scores - scores.max(1, keepdims=True))
    shares: Numbers = exponentials / exponentials.sum(1, keepdims=True)
    return shares


def _fit_head(
    features: sparse.csr_array,
    labels: npt.NDArray[Any],
    classes: tuple[str, ...],
    regularization: float,
    standardized: Sequence[slice],
) -> tuple[Numbers, Numbers]:
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((len(classes), features.shape[1]))
    biases = np.full(len(classes), _NEVER)
    seen = [classes.index(name) for name in sorted(set(labels))]
    biases[seen] = 0.0
    if len(seen) > 1:
        means, scales = _measure_columns(features, standardized)
        dense = (features[:, : len(means)].toarray() - means) / scales
        model = LogisticRegression(C=regularization, class_weight="balanced", max_iter=2000)
        model.fit(
            sparse.hstack([sparse.csr_array(dense), features[:, len(means) :]], format="csr"),
            labels,
        )
        # of two classes there is one row of weights, that of the second
        rows = seen[-len(model.coef_) :]
        weights[rows], biases[rows] = model.coef_, model.intercept_
        # back to the columns as they are
        weights[:, : len(means)] /= scales
        biases -= weights[:, : len(means)] @ means
    return weights, biases


def _measure_columns(
    features: sparse.csr_array, standardized: Sequence[slice]
) -> tuple[Numbers, Numbers]:
    """Mean and scale of the standardized columns; each block's rows get a length of about one."""
    means, scales = [np.zeros(0)], [np.zeros(0)]
    for block in standardized:
        columns = features[:, block].toarray()
        spread = columns.std(0)
        means.append(columns.mean(0))
        scales.append(np.where(spread > 0, spread, 1.0) * np.sqrt(columns.shape[1]))
    return np.concatenate(means), np.concatenate(scales)
