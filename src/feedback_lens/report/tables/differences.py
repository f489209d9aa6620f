"""What ours and the paper's figures differ by, and whether chance alone may have done it."""

from feedback_lens.comparing import Difference
from feedback_lens.figures import Figure
from feedback_lens.report.tables.values import BLANK, DASH, NOT_RUN, Value, interval, sign

WITHIN = "within"
OUTSIDE = "outside"
NO_INTERVAL = "no interval"
NO_VALUE_OF_OURS = "no value of ours"
NO_NUMBER = "no number in the paper"
UNDONE = "not run"


def subtract(value: Value, paper: Value) -> Value:
    """Ours less the paper's, with its 95% interval where one of the two has any.

    Where the paper prints neither a spread nor counts, its number is taken as exact. An interval
    of ours without width (all of a few turns right) tells of no precision, so that there is none.
    """
    if value.number is None or paper.number is None:
        return BLANK if value is BLANK else DASH
    found = Difference((), _read_figure(paper, exact=True), _read_figure(value, exact=False))
    number, ends = value.number - paper.number, found.interval
    text = sign(f"{number:+z.{value.decimals}f}")
    without_width = value.low is not None and value.low == value.high
    if ends is None or ends[0] == ends[1] or without_width or not value.estimate:
        return Value(number, text)
    low, high = ends
    between = interval(low, high, value.decimals).text
    return Value(number, f"{text} ({between})", low=low, high=high)


def _read_figure(value: Value, exact: bool) -> Figure:
    low, high = value.low, value.high
    if exact and low is None and value.spread is None:
        low = high = value.number
    return Figure(value.number, low, high, value.spread, value.seeds)


def find_state(value: Value, paper: Value) -> str:
    """What the difference of a figure of ours from the paper's tells.

    `within`: its interval holds zero; `outside`: it does not; `no interval`: it has none; `no value
    of ours`, though it was run; `no number in the paper` to subtract; `not run`.
    """
    if value is NOT_RUN:
        return UNDONE
    if paper.number is None:
        return NO_NUMBER
    difference = subtract(value, paper)
    if difference.number is None:
        return NO_VALUE_OF_OURS
    if difference.low is None or difference.high is None:
        return NO_INTERVAL
    return WITHIN if difference.low <= 0 <= difference.high else OUTSIDE
