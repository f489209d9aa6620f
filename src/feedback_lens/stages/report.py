from pathlib import Path
from typing import Any

import click

from feedback_lens.options import list_option, option, path_option
from feedback_lens.report.browser import read_shown
from feedback_lens.report.inputs import Run, read_inputs
from feedback_lens.report.page import build_page, write_page


@click.command()
@path_option("--metrics")
@path_option("--plots")
@path_option("--published")
@path_option("--conversations_folder")
@path_option("--labels")
@path_option("--splits")
@path_option("--replies")
@path_option("--scores")
@path_option("--report")
@option("--profile")
@option("--detector")
@list_option("--bases", required=True)
@list_option("--corpora", required=True)
@list_option("--recipes", required=True)
@list_option("--seeds", type=int, required=True)
@list_option("--detectors", required=True)
@list_option("--regenerations")
@list_option("--benchmarks", required=True)
@list_option("--judges", required=True)
@list_option("--gold_sets")
@option("--conversations", type=click.IntRange(0))
def main(
    metrics: Path,
    plots: Path,
    published: Path,
    conversations_folder: Path,
    labels: Path,
    splits: Path,
    replies: Path,
    scores: Path,
    report: Path,
    conversations: int,
    **axes: Any,
) -> None:
    """Write every figure of the paper beside ours, and the conversations, into one page."""
    run = Run(**axes)
    inputs = read_inputs(run, metrics, plots, published, labels, replies)
    shown = read_shown(
        run, conversations_folder, labels, splits, replies, scores, limit=conversations
    )
    write_page(build_page(inputs, shown), report)


if __name__ == "__main__":
    main()
