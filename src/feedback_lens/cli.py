from pathlib import Path

import click
import yaml

from feedback_lens.calls.store import ResponseStore, default_store_path, write_snapshot
from feedback_lens.errors import InputError
from feedback_lens.results import list_results


@click.group()
def main() -> None:
    """Feedback Lens: tools beside the pipeline, which `dvc repro` runs."""


@main.group()
def store() -> None:
    """Look after the response store (FEEDBACK_LENS_STORE): every reply a model ever gave."""


@store.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--model", help="Only replies asked of this model.")
def pack(folder: Path, model: str | None) -> None:
    """Write the store's replies to FOLDER as a snapshot, in place of the one that is there."""
    count = write_snapshot(_open_store().rows(model), folder)
    click.echo(f"{folder}: {count} replies")


@store.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def unpack(folder: Path) -> None:
    """Take the replies of a snapshot in FOLDER into the store; those it has stay."""
    click.echo(f"{default_store_path()}: {_open_store().unpack(folder)} new replies")


@store.command()
def stats() -> None:
    """Count the store's replies and tokens, by model and outcome."""
    rows = _open_store().stats()
    click.echo(
        f"{'model':<40} {'outcome':<12} {'replies':>9} {'prompt tok.':>12} {'reply tok.':>12}"
    )
    for model, outcome, *counts in rows:
        replies, asked, answered = counts
        click.echo(f"{model:<40} {outcome:<12} {replies:>9} {asked:>12} {answered:>12}")


def _open_store() -> ResponseStore:
    return ResponseStore(default_store_path())


@main.command()
@click.option("--metrics", type=click.Path(path_type=Path), default=Path("metrics"))
@click.option("--params", type=click.Path(path_type=Path), default=Path("params.yaml"))
@click.option("--report", type=click.Path(path_type=Path), default=Path("report/index.html"))
def results(metrics: Path, params: Path, report: Path) -> None:
    """Print a short table of the results, and where the report is."""
    if not params.is_file():
        raise InputError(f"{params}: no such file; call this in the project's root")
    run = yaml.safe_load(params.read_text(encoding="utf-8"))["run"]
    for name, value in list_results(metrics, run):
        click.echo(f"{name:<58} {value}")
    click.echo(f"\nreport: {report.resolve().as_uri()}" if report.is_file() else "no report yet")
