from pathlib import Path

import click

from feedback_lens.analysis.toxicity import TOXICITY, score_toxicity, summarize_toxicity
from feedback_lens.options import option, path_option
from feedback_lens.tables import read_rows, write_json, write_rows


@click.command()
@path_option("--splits")
@path_option("--toxicity")
@path_option("--metrics")
@option("--scorer")
def main(splits: Path, toxicity: Path, metrics: Path, scorer: str) -> None:
    """Score the toxicity of the prompts that drew negative, positive and any feedback."""
    rows = score_toxicity(read_rows(splits), scorer)
    write_rows(rows, toxicity, TOXICITY)
    write_json({"scorer": scorer, **summarize_toxicity(rows)}, metrics)


if __name__ == "__main__":
    main()
