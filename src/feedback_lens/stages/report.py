from pathlib import Path
from typing import Any

import click

from feedback_lens.options import option, path_option
from feedback_lens.params import read_axes
from feedback_lens.report.annotators import hide_annotators
from feedback_lens.report.browsers.answers import read_shown_answers
from feedback_lens.report.browsers.conversations import read_shown
from feedback_lens.report.header import Commit
from feedback_lens.report.inputs import read_inputs
from feedback_lens.report.page.build import build_page, write_page


@click.command()
@path_option("--params")
@option("--reward_model")
@path_option("--metrics")
@path_option("--plots")
@path_option("--published")
@path_option("--data")
@path_option("--catalog")
@path_option("--benchmarks")
@path_option("--report")
@option("--conversations", type=click.IntRange(0))
@option("--questions", type=click.IntRange(0))
def main(report: Path, **options: Any) -> None:
    """Write every figure of the paper beside ours, and conversations and answers, into one page."""
    write_page(render(**options, texts=True), report)


def render(
    params: Path,
    reward_model: str,
    metrics: Path,
    plots: Path,
    published: Path,
    data: Path,
    catalog: Path,
    benchmarks: Path,
    conversations: int,
    questions: int,
    *,
    texts: bool,
    commit: Commit | None = None,
) -> str:
    """The page; without `texts` nothing that users and models wrote is read, no annotator named.

    `commit` is that of a copy to show others.

    Raises:
        InputError: a file is missing or unreadable, with its name.
    """
    axes = read_axes(params)
    inputs = read_inputs(axes, reward_model, metrics, plots, published, data, catalog, texts=texts)
    shown = read_shown(axes, data, limit=conversations) if texts else None
    answers = read_shown_answers(axes, data, benchmarks, limit=questions) if texts else None
    return build_page(inputs if texts else hide_annotators(inputs), shown, answers, commit)


if __name__ == "__main__":
    main()
