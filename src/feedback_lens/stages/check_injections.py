from pathlib import Path

import click

from feedback_lens.hostile.checks import check_injections, count_checks
from feedback_lens.hostile.injections import read_injections
from feedback_lens.hostile.uses import USES
from feedback_lens.options import path_option
from feedback_lens.tables import write_json


@click.command()
@path_option("--injections")
@path_option("--prompts")
@path_option("--metrics")
def main(injections: Path, prompts: Path, metrics: Path) -> None:
    """Check that hostile text changes no prompt and no verdict that quotes it."""
    rows = check_injections(read_injections(injections), USES, prompts)
    write_json(count_checks(rows), metrics)


if __name__ == "__main__":
    main()
