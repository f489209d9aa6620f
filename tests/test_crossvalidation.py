from pathlib import Path

import numpy as np
import pytest

from dialogues import dialogue
from feedback_lens.feedback import detector as detector_module
from feedback_lens.feedback.crossvalidation import evaluate_out_of_fold
from feedback_lens.feedback.detector import Detector, fit_detector
from feedback_lens.feedback.embedding import embed
from feedback_lens.feedback.gold import read_gold_sets
from feedback_lens.logs.samples import read_samples

DATA = Path(__file__).parents[1] / "data"


def test_predictors_are_counted_on_the_gold_turns_alone():
    # two heads of no weights: fold 0 says POS, all gold NEU; `c` and turn 9 are not evaluated
    intercepts = np.array([[0.0, 1.0], [1.0, 0.0]])
    detector = Detector(("NEU", "POS"), np.zeros((2, 2, 1153)), intercepts, {"a": 0})
    talks = [dialogue("a", "u", "m", "thanks", "m", "more"), dialogue("c", "u", "m", "wrong")]
    gold = {("a", 2): "POS", ("a", 3): "NEU", ("a", 9): "POS"}
    metrics = evaluate_out_of_fold(detector, talks, gold)
    assert {name: m["turns"] for name, m in metrics.items()} == dict.fromkeys(metrics, 2)
    # local says POS twice: 1 of 2; keywords POS and NEU: 2 of 2; POS leads the gold: 1 of 2
    accuracies = {name: m["three_way"]["accuracy"] for name, m in metrics.items()}
    assert accuracies == {"local": 0.5, "keywords": 1.0, "majority": 0.5}


@pytest.fixture(scope="module")
def metrics():
    # fitting and evaluating embed the same turns: once is enough, and it takes most of the time
    kept = {}

    def embed_once(texts, purpose):
        new = sorted(set(texts) - kept.keys())
        kept.update(zip(new, embed(new, purpose), strict=True))
        return np.stack([kept[text] for text in texts])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector_module, "embed", embed_once)
        conversations, gold = read_samples(DATA / "sample"), read_gold_sets(DATA / "gold")
        return evaluate_out_of_fold(fit_detector(conversations, gold, 5, 1.0), conversations, gold)


def test_every_gold_turn_of_the_sample_is_evaluated(metrics):
    turns = len(read_gold_sets(DATA / "gold"))
    assert {name: m["turns"] for name, m in metrics.items()} == dict.fromkeys(metrics, turns)


@pytest.mark.parametrize("baseline", ["keywords", "majority"])
def test_the_local_detector_beats_both_baselines_out_of_fold(metrics, baseline):
    ours, theirs = metrics["local"], metrics[baseline]
    assert ours["three_way"]["accuracy"] > theirs["three_way"]["accuracy"]
    assert ours["fine"]["macro"]["f1"] > theirs["fine"]["macro"]["f1"]
