"""`feedback-lens publish`: a copy of the report that can be shown to others (docs/share.md)."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from feedback_lens.errors import InputError

if TYPE_CHECKING:
    from feedback_lens.report.header import Commit
    from feedback_lens.versioning.project import Project

STAGE = "report"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-text", is_flag=True, help="With the texts of logs, replies and answers.")
@click.option("--dirty", is_flag=True, help="Even where no commit holds this; the page says so.")
def publish(file: Path, with_text: bool, dirty: bool) -> None:
    """Write the report to FILE, to show it to others: with its commit and without private text.

    Left out are conversations, replies and answers of models. It is refused where the workspace is
    not what the commit says.
    """
    # DVC takes a while to load, as do the libraries behind the page
    from feedback_lens.report.page.build import write_page
    from feedback_lens.stages.report import render
    from feedback_lens.versioning.history import check_repository
    from feedback_lens.versioning.project import open_project

    file = file.absolute()
    with open_project() as project:
        check_repository(project.root)
        _check_place(project, file)
        commit = _find_commit(project, dirty)
        options = _read_options(project)
        if with_text:
            click.echo(_describe_texts(project, options))
        write_page(render(**options, texts=with_text, commit=commit), file)
    state = " with uncommitted changes" if commit.is_dirty else ""
    texts = "with" if with_text else "without"
    click.echo(f"{file}: the report of commit {commit.hash[:10]}{state}, {texts} text of logs")


def _check_place(project: "Project", file: Path) -> None:
    """Refuse a place that is a stage's, where the copy would count as one of its files."""
    place, root = file.resolve(), project.root.resolve()
    if place.is_relative_to(root):
        inside = place.relative_to(root)
        if inside.parts[0] in {path.split("/")[0] for path in project.outs}:
            raise InputError(
                f"{inside}: stages write into {inside.parts[0]}/; name a file elsewhere"
            )


def _find_commit(project: "Project", dirty: bool) -> "Commit":
    from feedback_lens.report.header import Commit
    from feedback_lens.versioning.committed import name_head, tell_doubts
    from feedback_lens.versioning.history import read_commit

    doubts = list(tell_doubts(project, STAGE))
    if doubts and not dirty:
        told = "the report is not what the commit says; mend it, or tell so on the page by --dirty"
        raise InputError("\n".join((told, *(f"  {doubt}" for doubt in doubts))))
    head = read_commit(project.root, "HEAD")
    return Commit(head.hash, head.date, name_head(project), is_dirty=bool(doubts))


def _read_options(project: "Project") -> dict[str, Any]:
    """What the stage's command says, but for where it writes to."""
    from feedback_lens.stages.report import main

    words = shlex.split(project.cells[STAGE].cmd)
    given = words[words.index("-m") + 2 :]
    options = main.make_context(STAGE, given).params
    return {name: value for name, value in options.items() if name != "report"}


def _describe_texts(project: "Project", options: Mapping[str, Any]) -> str:
    from feedback_lens.params import read_axes
    from feedback_lens.versioning.states import WORKSPACE, find_state

    corpora = ", ".join(read_axes(options["params"]).corpora)
    remote = find_state(project.root, WORKSPACE).params()["run"].get("logs_remote")
    told = (
        f"this copy holds text of users and models: of each of {corpora} the first "
        f"{options['conversations']} conversations with their replies and regenerations, the "
        "replies at the centers of the refusal clusters, and the models' answers to "
        f"{options['questions']} questions of each benchmark with what the judges said"
    )
    if remote == "private":
        told += "; run.logs_remote is private: show it only to those who may read the logs"
    return told
