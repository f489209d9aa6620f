from pathlib import Path

import click

from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.feedback.labeling import label_conversations
from feedback_lens.feedback.labels import LABELS
from feedback_lens.logs.conversation import read_conversations
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--conversations")
@option("--detector")
@path_option("--detector_folder")
@path_option("--prompt")
@path_option("--labels")
@path_option("--counts")
@option("--structured/--no-structured")
@policy_options
def main(
    conversations: Path,
    detector: str,
    detector_folder: Path,
    prompt: Path,
    labels: Path,
    counts: Path,
    policy: AskPolicy,
    structured: bool,
) -> None:
    """Label what every user turn after the first says of the reply before it."""
    rows, totals = label_conversations(
        conversations=list(read_conversations(conversations)),
        detector=detector,
        detector_folder=detector_folder,
        prompt=prompt,
        policy=policy,
        structured=structured,
    )
    write_rows(rows, labels, LABELS)
    write_json(totals, counts)


if __name__ == "__main__":
    main()
