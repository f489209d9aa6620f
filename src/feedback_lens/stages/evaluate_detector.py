from pathlib import Path

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.feedback.detector_evaluation import (
    CONFUSION_POINTS,
    evaluate_detectors,
    list_confusions,
    read_predictions,
)
from feedback_lens.feedback.gold import read_gold, reduce_gold
from feedback_lens.options import list_option, option, path_option
from feedback_lens.tables import write_json


@click.command()
@path_option("--gold")
@path_option("--second")
@path_option("--labels_folder")
@list_option("--detectors", required=True)
@path_option("--metrics")
@path_option("--confusion")
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=click.IntRange(0))
def main(
    gold: Path,
    second: Path,
    labels_folder: Path,
    detectors: tuple[str, ...],
    metrics: Path,
    confusion: Path,
    resamples: int,
    seed: int,
) -> None:
    """Evaluate the detectors, and the two annotators, on a gold set."""
    labels = reduce_gold(read_gold(gold))
    predictions = read_predictions(labels_folder, detectors)
    evaluation = evaluate_detectors(
        gold=labels,
        second=reduce_gold(read_gold(second)),
        predictions=predictions,
        resamples=resamples,
        seed=seed,
    )
    write_json(evaluation, metrics)
    write_points(list_confusions(labels, predictions), confusion, CONFUSION_POINTS)


if __name__ == "__main__":
    main()
