from collections.abc import Iterator, Sequence
from pathlib import Path

from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.tables import read_rows


def read_prompt_sets(splits: Sequence[Path], benchmarks: Sequence[Path]) -> list[dict[str, str]]:
    """Prompts to rate, one row each: `prompt_set, prompt_id, text`.

    The prompts u_i of a splits table form the sets `neg`, `pos` and `rand`; the turns of a
    benchmark's questions, joined, the set of the folder's name.
    """
    sets = (*map(_read_splits, splits), *map(_read_benchmark, benchmarks))
    return [prompt for prompts in sets for prompt in prompts]


def _read_splits(path: Path) -> Iterator[dict[str, str]]:
    for row in read_rows(path, ["split", "conversation_id", "turn", "prompt"]):
        prompt_id = f"{row['conversation_id']}:{row['turn']}"
        yield {"prompt_set": row["split"], "prompt_id": prompt_id, "text": row["prompt"]}


def _read_benchmark(folder: Path) -> Iterator[dict[str, str]]:
    for question in read_questions(folder):
        messages = [message["content"] for message in question.history]
        text = "\n\n".join([*messages, *question.turns])
        yield {"prompt_set": folder.name, "prompt_id": question.question_id, "text": text}
