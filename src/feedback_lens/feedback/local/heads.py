"""Linear heads over features: one for each fold, that did not see it, and one for all data."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedback_lens.feedback.local.calibration import Indices, fit_temperature

Numbers = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]
_Head = tuple[Numbers, Numbers]  # weights, biases
# of a class that a fold's rest has not seen: it is never chosen
_NEVER = -1e9


@dataclass(frozen=True)
class Heads:
    """Multinomial logistic regressions with a temperature each.

    `coefficients` has shape `(folds + 1, classes, features)`, `intercepts` `(folds + 1, classes)`,
    `temperatures` `(folds + 1,)`; the last head is that of all data. The temperature of a fold's
    head was fitted without its labels: on the other folds, each scored by a head that had seen
    neither. Two folds leave nothing to such a head, and their temperatures are 1.
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

    def fit(*unseen: int) -> _Head:
        rows = np.flatnonzero(~np.isin(fold_of_row, unseen))
        return _fit_head(features[rows], targets[rows], classes, regularization, standardized)

    heads = [*(fit(fold) for fold in range(folds)), fit()]
    # what no head may score stays no number, so that a use of it shows
    scores = np.full((folds + 1, len(targets), len(classes)), np.nan)
    # there is no fold of the last number: that head sees all, and the others see it
    for one, other in combinations(range(folds + 1), 2):
        weights, biases = fit(one, other) if other < folds else heads[one]
        for unseen, scored in ((one, other), (other, one)):
            rows = np.flatnonzero(fold_of_row == scored)
            scores[unseen, rows] = features[rows] @ weights.T + biases
    temperatures = _fit_temperatures(scores, np.searchsorted(classes, targets), fold_of_row)
    coefficients, intercepts = (np.stack(parts) for parts in zip(*heads, strict=True))
    return Heads(classes, coefficients, intercepts, temperatures)


def _fit_temperatures(scores: Numbers, actual: Indices, fold_of_row: Folds) -> Numbers:
    """`scores[fold]` are logits by heads that saw neither the fold nor the row's own."""
    folds = len(scores) - 1
    temperatures = np.ones(folds + 1)
    for fold in range(folds + 1) if folds > 2 else [folds]:
        others = fold_of_row != fold
        temperatures[fold] = fit_temperature(scores[fold, others], actual[others])
    return temperatures


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
) -> _Head:
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
