import click

from feedback_lens.commands.annotate import annotate
from feedback_lens.commands.changes import changes
from feedback_lens.commands.check import check
from feedback_lens.commands.compare import compare
from feedback_lens.commands.fetch import fetch
from feedback_lens.commands.lineage import lineage
from feedback_lens.commands.plan import plan
from feedback_lens.commands.profile import profile
from feedback_lens.commands.prune import prune
from feedback_lens.commands.publish import publish
from feedback_lens.commands.results import results
from feedback_lens.commands.store import store
from feedback_lens.commands.training_set import training_set


@click.group()
def main() -> None:
    """Feedback Lens: tools beside the pipeline, which `dvc repro` runs."""


for command in (
    annotate,
    changes,
    check,
    compare,
    fetch,
    lineage,
    plan,
    profile,
    prune,
    publish,
    results,
    store,
    training_set,
):
    main.add_command(command)
