from feedback_lens.calls.policy import count_calls

ROWS = [{"outcome": "answered"}, {"outcome": "unreadable"}, {"outcome": "answered"}]
OUTCOMES = {
    "answered": 2,
    "refused": 0,
    "cut_off": 0,
    "filtered": 0,
    "unreadable": 1,
    "failed": 0,
}


def test_the_counts_of_a_model_hold_outcomes_and_the_tally_of_all_draws():
    tally = {"calls": 4, "reasked": 1, "prompt_tokens": 40, "completion_tokens": 8}
    assert count_calls("m", ROWS, tally) == {"model": "m", **OUTCOMES, **tally}


def test_without_calls_there_is_no_tally():
    assert count_calls(None, ROWS) == {"model": None, **OUTCOMES}
    assert count_calls(None, ROWS, {}) == {"model": None, **OUTCOMES}
