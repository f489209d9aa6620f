from pathlib import Path

import click

from feedback_lens.options import option, path_option
from feedback_lens.params import read_axes
from feedback_lens.report.browsers.conversations import read_shown
from feedback_lens.report.inputs import read_inputs
from feedback_lens.report.page.build import build_page, write_page
from feedback_lens.report.plots.plot import read_plots


@click.command()
@path_option("--params")
@option("--reward_model")
@path_option("--metrics")
@path_option("--plots")
@path_option("--published")
@path_option("--data")
@path_option("--report")
@option("--conversations", type=click.IntRange(0))
def main(
    params: Path,
    reward_model: str,
    metrics: Path,
    plots: Path,
    published: Path,
    data: Path,
    report: Path,
    conversations: int,
) -> None:
    """Write every figure of the paper beside ours, and the conversations, into one page."""
    axes = read_axes(params)
    inputs = read_inputs(axes, reward_model, metrics, read_plots(plots, axes), published, data)
    shown = read_shown(axes, data, limit=conversations)
    write_page(build_page(inputs, shown), report)


if __name__ == "__main__":
    main()
