from pathlib import Path

import click

from feedback_lens.annotate_command import annotate
from feedback_lens.errors import InputError
from feedback_lens.params import read_axes
from feedback_lens.plan_command import plan
from feedback_lens.results import list_results
from feedback_lens.store_commands import store
from feedback_lens.training_set_command import training_set


@click.group()
def main() -> None:
    """Feedback Lens: tools beside the pipeline, which `dvc repro` runs."""


main.add_command(store)
main.add_command(plan)
main.add_command(annotate)
main.add_command(training_set)


@main.command()
@click.option("--metrics", type=click.Path(path_type=Path), default=Path("metrics"))
@click.option("--params", type=click.Path(path_type=Path), default=Path("params.yaml"))
@click.option("--report", type=click.Path(path_type=Path), default=Path("report/index.html"))
def results(metrics: Path, params: Path, report: Path) -> None:
    """Print a short table of the results, and where the report is."""
    if not params.is_file():
        raise InputError(f"{params}: no such file; call this in the project's root")
    for name, value in list_results(metrics, read_axes(params)):
        click.echo(f"{name:<58} {value}")
    click.echo(f"\nreport: {report.resolve().as_uri()}" if report.is_file() else "no report yet")
