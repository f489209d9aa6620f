from pathlib import Path

import click

from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.feedback.labeling import label_conversations
from feedback_lens.feedback.labels import LABELS
from feedback_lens.feedback.prompted.labeler import AskSettings
from feedback_lens.feedback.prompted.windows import LEAST_WINDOW
from feedback_lens.logs.conversation import read_conversations
from feedback_lens.options import option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--conversations")
@option("--detector")
@path_option("--detector_folder")
@path_option("--prompts")
@path_option("--labels")
@path_option("--counts")
@option("--structured/--no-structured")
@option("--samples", type=click.IntRange(1))
@option("--logprobs/--no-logprobs")
@option("--window", type=click.IntRange(LEAST_WINDOW))
@option("--abstain_below", type=click.FloatRange(0, 1))
@policy_options
def main(
    conversations: Path,
    detector: str,
    detector_folder: Path,
    prompts: Path,
    labels: Path,
    counts: Path,
    policy: AskPolicy,
    structured: bool,
    samples: int,
    logprobs: bool,
    window: int,
    abstain_below: float,
) -> None:
    """Label what every user turn after the first says of the reply before it."""
    labeling = label_conversations(
        conversations=read_conversations(conversations),
        detector=detector,
        detector_folder=detector_folder,
        prompts=prompts,
        policy=policy,
        settings=AskSettings(structured, samples, logprobs, window),
        abstain_below=abstain_below,
    )
    write_rows(labeling.rows, labels, LABELS)
    write_json(labeling.count(), counts)


if __name__ == "__main__":
    main()
