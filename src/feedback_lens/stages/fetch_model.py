from pathlib import Path

import click

from feedback_lens.options import Nullable, option, path_option
from feedback_lens.training.model_sources import CHAT_TEMPLATES, fetch_model


@click.command()
@option("--source")
@option("--revision", type=Nullable(click.STRING))
@option("--chat_template", type=click.Choice(CHAT_TEMPLATES))
@path_option("--model")
def main(source: str, revision: str | None, chat_template: str, model: Path) -> None:
    """Fetch a model from the hub or a folder, with a chat template."""
    pinned = None if revision == "null" else revision  # by hand as params.yaml spells it
    fetch_model(source=source, revision=pinned, chat_template=chat_template, folder=model)


if __name__ == "__main__":
    main()
