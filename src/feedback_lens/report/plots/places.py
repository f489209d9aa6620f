"""Where on the page each plot of plots.yaml stands, and how its marks are read."""

from dataclasses import dataclass

SECTIONS = ("Feedback", "Detectors", "Prompts", "Replies", "Training")
INTERVALS = "A point is the share, the line through it the 95% interval."
BOXES = (
    "Box: quartiles; thick line: median; diamond: mean; whiskers: the last value within 1.5 boxes;"
    " rings: values beyond."
)
STACKS = (
    "A bar is a user turn, n its labeled turns. A click on a label keeps it, a second lets it go."
)


@dataclass(frozen=True)
class Place:
    """The section that keeps a plot, and a note on how to read it.

    `axis` names the axis whose cells have a file each: `corpora`, `gold_sets` or `trained`; empty
    where one file has all. `height` is what the page keeps free for a drawing, in pixels, until it
    is drawn; a `wide` one has the page's width to itself.
    """

    section: str
    axis: str = ""
    note: str = ""
    height: int = 245
    wide: bool = False


PLACES = {
    "turn_distribution": Place("Feedback", "corpora", STACKS),
    "turn_distribution_gold": Place("Feedback", "gold_sets", STACKS),
    "label_distribution": Place("Feedback", "corpora", INTERVALS),
    "label_distribution_gold": Place("Feedback", "gold_sets", INTERVALS),
    "confusion": Place(
        "Detectors",
        "gold_sets",
        "The stronger a cell's color, the larger its share of the gold label's turns.",
        height=512,
        wide=True,
    ),
    "calibration": Place(
        "Detectors",
        note="On the dotted line confidence is right; dashed: before calibration. A point is a bin"
        " of confidence, the larger the more turns it has.",
        height=425,
    ),
    "abstention": Place(
        "Detectors",
        note="The higher the threshold, the fewer turns keep a label, and the more of these are"
        " right.",
        height=325,
    ),
    "toxicity": Place("Prompts", "corpora", BOXES, height=205),
    "quality": Place("Prompts", "corpora", BOXES, height=205),
    "criteria": Place("Prompts", "corpora", INTERVALS, height=525),
    "refusals": Place("Replies", "corpora", INTERVALS, height=247),
    "win_rates": Place(
        "Replies",
        "trained",
        f"{INTERVALS} Right of the dashed line the first reply is the better one.",
        height=375,
    ),
    "loss": Place(
        "Training",
        note="Neighboring steps are averaged where there are more than 60. Drag to move, Ctrl and"
        " the wheel to zoom, a double click to go back.",
        height=578,
        wide=True,
    ),
    "scores": Place(
        "Training",
        note="A point is the mean over seeds, the line one standard deviation on either side;"
        " dashed: the untrained base.",
        height=320,
        wide=True,
    ),
}
