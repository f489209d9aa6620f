from pathlib import Path

import click

from feedback_lens.calls.policy import AskPolicy
from feedback_lens.calls.request import Sampling
from feedback_lens.feedback.labeling import label_conversations
from feedback_lens.feedback.labels import LABELS
from feedback_lens.logs.conversation import read_conversations
from feedback_lens.options import MAX_TOKENS, REASONING_EFFORT, TEMPERATURE, option, path_option
from feedback_lens.tables import write_json, write_rows


@click.command()
@path_option("--conversations")
@option("--detector")
@path_option("--detector_folder")
@path_option("--prompt")
@path_option("--assistant")
@path_option("--labels")
@path_option("--counts")
@option("--model")
@option("--temperature", type=TEMPERATURE)
@option("--max_tokens", type=MAX_TOKENS)
@option("--reasoning_effort", type=REASONING_EFFORT)
@option("--reasks", type=click.IntRange(0))
@option("--structured/--no-structured")
def main(
    conversations: Path,
    detector: str,
    detector_folder: Path,
    prompt: Path,
    assistant: Path,
    labels: Path,
    counts: Path,
    model: str,
    temperature: float | None,
    max_tokens: int | None,
    reasoning_effort: str | None,
    reasks: int,
    structured: bool,
) -> None:
    """Label what every user turn after the first says of the reply before it."""
    sampling = Sampling(temperature, max_tokens=max_tokens, reasoning_effort=reasoning_effort)
    rows, totals = label_conversations(
        conversations=list(read_conversations(conversations)),
        detector=detector,
        detector_folder=detector_folder,
        prompt=prompt,
        policy=AskPolicy(model, assistant, sampling, reasks),
        structured=structured,
    )
    write_rows(rows, labels, LABELS)
    write_json(totals, counts)


if __name__ == "__main__":
    main()
