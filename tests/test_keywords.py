import pytest

from feedback_lens.feedback.keywords import label_by_keywords


@pytest.mark.parametrize(
    ("turn", "label"),
    [
        ("No, the capital is Canberra", "NEG_2"),
        ("too long, thanks", "NEG_2"),  # the first cue in the order of priority
        ("that's WRONG", "NEG_3"),
        ("are you sure?", "NEG_3"),
        ("I meant the flat", "NEG_1"),
        ("what do you mean by marinate", "NEG_4"),
        ("Perfect!", "POS"),
        ("now one about cats", "NEU"),
        ("", "NEU"),
        ("knowing, insteadily", "NEU"),  # cues are whole words
    ],
)
def test_the_first_cue_found_labels_the_turn(turn, label):
    assert label_by_keywords(turn) == label
