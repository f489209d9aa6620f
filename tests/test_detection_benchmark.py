"""That the benchmark of the detector still runs and counts; how fast it is no test can say."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import detection


@pytest.fixture(scope="module")
def fitted():
    conversations, gold = detection.read_annotated()
    # a part is enough to count
    few = conversations[:30]
    known = {c.conversation_id for c in few}
    part = {key: label for key, label in gold.items() if key[0] in known}
    return detection.fit_detector(few, part, 2, 1.0), few, part


def test_every_turn_of_a_log_is_labeled_in_a_process_of_its_own(fitted):
    detector, few, _ = fitted
    turns = sum(len(c.user_turns) - 1 for c in few)
    found = detection.measure_memory(detector, few, 2 * len(few))
    assert found["turns"] == 2 * turns
    assert found["idle_mb"] > 0


def test_both_detectors_label_the_same_turns(fitted):
    detector, few, gold = fitted
    plain = detection.fit_plain(detector, few, gold, 1.0)
    assert detection.label_plainly(plain, few[:3]) == len(detector.label(few[:3]))


def test_longer_replies_leave_the_users_turns_as_they_are(fitted):
    _, few, _ = fitted
    longer = detection.lengthen_replies(few[0], 3)
    assert longer.user_turns == few[0].user_turns
    assert longer.replies[0] == "\n".join([few[0].replies[0]] * 3)
