from pathlib import Path

import click

from feedback_lens.feedback.crossvalidation import evaluate_out_of_fold
from feedback_lens.feedback.detector import fit_detector, save_detector
from feedback_lens.feedback.gold import read_gold_sets
from feedback_lens.logs.samples import read_samples
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json


@click.command()
@path_option("--samples")
@path_option("--gold")
@path_option("--detector")
@path_option("--metrics")
@option("--folds", type=click.IntRange(2))
@option("--regularization", type=click.FloatRange(0, min_open=True))
def main(
    samples: Path, gold: Path, detector: Path, metrics: Path, folds: int, regularization: float
) -> None:
    """Fit the local detector on the gold labels and evaluate it out of fold."""
    conversations, labels = read_samples(samples), read_gold_sets(gold)
    fitted = fit_detector(conversations, labels, folds, regularization)
    save_detector(fitted, detector)
    write_json(evaluate_out_of_fold(fitted, conversations, labels), metrics)


if __name__ == "__main__":
    main()
