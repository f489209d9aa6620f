from pathlib import Path

import click

from feedback_lens.analysis.counts import (
    DISTRIBUTION_POINTS,
    LABEL_POINTS,
    count_feedback,
    distribute_labels,
    list_label_shares,
)
from feedback_lens.analysis.plots import write_points
from feedback_lens.options import path_option
from feedback_lens.tables import read_frame, write_json


@click.command()
@path_option("--labels")
@path_option("--metrics")
@path_option("--plot")
@path_option("--label_plot")
def main(labels: Path, metrics: Path, plot: Path, label_plot: Path) -> None:
    """Count feedback by turn and by label."""
    frame = read_frame(labels, ["conversation_id", "turn", "label"])
    write_json(count_feedback(frame), metrics)
    write_points(distribute_labels(frame), plot, DISTRIBUTION_POINTS)
    write_points(list_label_shares(frame), label_plot, LABEL_POINTS)


if __name__ == "__main__":
    main()
