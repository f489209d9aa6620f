"""Whether what the workspace has of a stage is what the present commit says."""

from collections.abc import Iterator

from feedback_lens.versioning.changes import find_changes
from feedback_lens.versioning.code import list_names
from feedback_lens.versioning.git import run_git
from feedback_lens.versioning.history import LOCK, PIPELINE
from feedback_lens.versioning.project import Project

_PARAMS = "params.yaml"


def tell_doubts(project: Project, stage: str) -> Iterator[str]:
    """A line for each thing that the commit says otherwise, with its mend; none of a sound state.

    Raises:
        InputError: dvc.yaml has no such stage.
    """
    stale = [
        change.name
        for change in find_changes(project, [stage]).changed
        if change.code or any(reason.kind != "missing" for reason in change.reasons)
    ]
    if stale:
        yield f"`dvc repro {stage}` would run {list_names(stale)}; `feedback-lens changes` says why"
    for path in (out.def_path for out in project.cells[stage].outs if not out.exists):
        yield f"{path} is missing: `dvc checkout {path}`, or `dvc repro {stage}`"
    if edited := _list_uncommitted(project, stage):
        yield f"no commit holds {list_names(edited)} as it is here: git add, then git commit"


def _list_uncommitted(project: Project, stage: str) -> list[str]:
    """Files in Git's care that the stage or one behind it reads or writes, other than in HEAD."""
    behind = project.plan([stage])
    files = {file.def_path for one in behind for file in (*one.deps, *one.outs)}
    paths = sorted({LOCK, PIPELINE, _PARAMS, *files})
    asked = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    return [
        line[3:] for line in run_git(project.root, *asked, "--", *paths).decode().split("\0")[:-1]
    ]


def name_head(project: Project) -> list[str]:
    """The branch that HEAD is on and the tags at it, such as `branch main`."""
    branch = run_git(project.root, "branch", "--show-current").decode().split()
    tags = run_git(project.root, "tag", "--points-at", "HEAD").decode().split()
    return [*(f"branch {name}" for name in branch), *(f"tag {name}" for name in tags)]
