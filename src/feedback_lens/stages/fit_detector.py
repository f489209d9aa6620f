from pathlib import Path

import click

from feedback_lens.analysis.plots import write_points
from feedback_lens.feedback.local.calibration import ABSTENTION_POINTS, CALIBRATION_POINTS
from feedback_lens.feedback.local.crossvalidation import (
    draw_abstention,
    draw_calibration,
    evaluate_out_of_fold,
    predict_out_of_fold,
)
from feedback_lens.feedback.local.detector import fit_detector, save_detector
from feedback_lens.feedback.local.fitting_gold import read_fitting_gold
from feedback_lens.options import list_option, option, path_option
from feedback_lens.params import read_axes
from feedback_lens.tables import write_json


@click.command()
@path_option("--gold_sets_folder")
@path_option("--params")
@path_option("--detector")
@path_option("--metrics")
@path_option("--calibration")
@path_option("--abstention")
@list_option("--gold_sets")
@option("--folds", type=click.IntRange(2))
@option("--regularization", type=click.FloatRange(0, min_open=True))
@option("--bins", type=click.IntRange(1))
@option("--resamples", type=click.IntRange(1))
@option("--seed", type=int)
def main(
    gold_sets_folder: Path,
    params: Path,
    detector: Path,
    metrics: Path,
    calibration: Path,
    abstention: Path,
    gold_sets: tuple[str, ...],
    folds: int,
    regularization: float,
    bins: int,
    resamples: int,
    seed: int,
) -> None:
    """Fit the local detector on the gold labels and evaluate it out of fold."""
    gold = read_fitting_gold(gold_sets_folder, gold_sets, read_axes(params).gold_sets)
    talks, labels, origins = gold.conversations, gold.labels, gold.origins
    fitted = fit_detector(talks, labels, folds, regularization, origins)
    save_detector(fitted, detector)
    found = predict_out_of_fold(fitted, talks, labels, regularization, origins)
    write_json(evaluate_out_of_fold(found, bins, resamples, seed), metrics)
    write_points(draw_calibration(found, bins), calibration, CALIBRATION_POINTS)
    write_points(draw_abstention(found), abstention, ABSTENTION_POINTS)


if __name__ == "__main__":
    main()
