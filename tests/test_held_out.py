import math
from types import SimpleNamespace

import pytest
import torch

from feedback_lens.training.held_out import (
    mean_token_loss,
    measure_log_likelihoods,
    reward_margin,
)
from feedback_lens.training.preflight import EncodedExample


class NextToken(torch.nn.Module):
    """A model of 4 tokens that gives 1/2 to the token after the last one and 1/6 to the others."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        probabilities = torch.full((*input_ids.shape, 4), 1 / 6)
        probabilities.scatter_(-1, ((input_ids + 1) % 4).unsqueeze(-1), 0.5)
        return SimpleNamespace(logits=probabilities.log())


def example(prompt: list[int], completion: list[int], desirable: bool | None) -> EncodedExample:
    return EncodedExample(prompt, completion, False, desirable)


def test_the_likelihood_is_that_of_the_completion_alone():
    examples = [
        example([0, 3, 1], [2, 3], None),  # 1->2 and 2->3, each 1/2
        example([0], [1, 1, 2], None),  # 0->1 1/2, 1->1 1/6, 1->2 1/2
    ]
    expected = [2 * math.log(1 / 2), 2 * math.log(1 / 2) + math.log(1 / 6)]
    for batch_size in (1, 2):
        found = measure_log_likelihoods(NextToken(), examples, 0, batch_size)
        assert found == pytest.approx(expected)


def test_the_loss_is_a_mean_over_tokens_and_leaves_undesirable_rows_out():
    examples = [example([0], [1, 1], True), example([0], [1], False), example([0], [1], True)]
    # (3 + 2.4) / (2 + 1) tokens
    assert mean_token_loss(examples, [-3.0, -50.0, -2.4]) == pytest.approx(1.8)
    assert mean_token_loss([], []) is None


def test_the_reward_margin_is_beta_times_the_difference_of_mean_gains():
    examples = [example([0], [1], d) for d in (True, True, False, False)]
    # gains 2, 4, -1 and -3: .1 * (3 - -2) = .5; variances 2 and 2: .1 * sqrt(2 / 2 + 2 / 2)
    before, after = [-5.0, -6.0, -7.0, -7.0], [-3.0, -2.0, -8.0, -10.0]
    assert reward_margin(examples, before, after, 0.1) == pytest.approx((0.5, 0.1 * 2**0.5))


def test_the_reward_margin_s_error_needs_two_examples_of_each_class():
    examples = [example([0], [1], d) for d in (True, True, False)]
    # gains 1, 1 and 0
    assert reward_margin(examples, [0, 0, 0], [1, 1, 0], 0.1) == (pytest.approx(0.1), None)
    assert reward_margin(examples[:2], [0, 0], [1, 1], 0.1) == (None, None)
