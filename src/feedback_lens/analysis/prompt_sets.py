"""Prompts to rate: those of the splits, and any other set."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_lens.analysis.prompt_formats import MalformedPrompt, find_prompt_format
from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Message
from feedback_lens.logs.rawfiles import read_raw_rows

# beside the questions these benchmarks' folders hold other files
_FILES = {"mt_bench": "question.jsonl", "wildbench": "tasks.jsonl"}


@dataclass(frozen=True)
class Prompt:
    """A prompt to rate: a user's message, or several turns, or a dialogue that ends with one."""

    prompt_set: str
    prompt_id: str
    messages: tuple[Message, ...]

    @property
    def text(self) -> str:
        """All its messages, with blank lines between them: what the rater sees."""
        return "\n\n".join(message.content for message in self.messages)


def list_split_prompts(rows: Iterable[Mapping[str, Any]]) -> list[Prompt]:
    """The prompts u_i of sub-conversations (rows of `SPLITS`): the sets `neg`, `pos`, `rand`."""
    return [
        Prompt(
            row["split"],
            f"{row['conversation_id']}:{row['turn']}",
            (Message("user", row["prompt"]),),
        )
        for row in rows
    ]


def read_prompt_set(name: str, path: Path, prompt_format: str) -> list[Prompt]:
    """The prompts of a file or of a folder of shards: JSONL, JSON, CSV or Parquet.

    Of the folder of MT-Bench or WildBench `question.jsonl` or `tasks.jsonl` is read, where it is
    there. Where rows have no id, file and row number stand for it.

    Raises:
        InputError: the path or format is not known, a row holds no prompt, an id stands twice, or
            there is no prompt at all; the message names file and row.
    """
    read = find_prompt_format(prompt_format, f"prompt_sets.{name}.format")
    if not path.exists():
        raise InputError(f"{path}: no such prompts; set prompt_sets.{name}.path in params.yaml")
    prompts: dict[str, Prompt] = {}
    for source, where, row in _list_rows(path, prompt_format):
        try:
            if row is None:
                raise MalformedPrompt("it is no JSON object")
            identifier, messages = read(row)
        except MalformedPrompt as reason:
            raise InputError(
                f"{where}: {reason}; mend the row, or prompt_sets.{name}.format in params.yaml "
                f"({prompt_format!r})"
            ) from None
        identifier = identifier or source
        if identifier in prompts:
            raise InputError(f"{where}: the id {identifier!r} stands twice; give each row its own")
        prompts[identifier] = Prompt(name, identifier, messages)
    if not prompts:
        raise InputError(f"{path}: holds no prompt; set prompt_sets.{name}.path in params.yaml")
    return list(prompts.values())


def _list_rows(path: Path, prompt_format: str) -> Iterator[tuple[str, Path, dict[str, Any] | None]]:
    """File and number of each row, the same with the whole path, and the row."""
    questions = path / _FILES.get(prompt_format, "")
    file = questions if questions.is_file() else path
    folder = file if file.is_dir() else file.parent
    for source, row in read_raw_rows(file):
        yield source, folder / source, row
