from pathlib import Path

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.feedback.detector_evaluation import (
    CONFUSION_POINTS,
    evaluate_detectors,
    list_confusions,
)
from feedback_lens.feedback.label_sets import read_label_sets
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import write_json


@click.command()
@path_option("--labels")
@path_option("--predictions_folder")
@list_option("--detectors", required=True)
@path_option("--metrics")
@path_option("--confusion")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
def main(
    labels: Path,
    predictions_folder: Path,
    detectors: tuple[str, ...],
    metrics: Path,
    confusion: Path,
    resamples: int,
    seed: int,
) -> None:
    """Evaluate the detectors on a gold set, and compare all label sets of it."""
    sets = read_label_sets(labels, predictions_folder, detectors)
    write_json(evaluate_detectors(sets, resamples, seed), metrics)
    write_points(list_confusions(sets), confusion, CONFUSION_POINTS)


if __name__ == "__main__":
    main()
