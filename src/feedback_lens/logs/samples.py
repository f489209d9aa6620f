from pathlib import Path

from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Conversation
from feedback_lens.logs.formats import FORMATS, MalformedRow
from feedback_lens.logs.rawfiles import read_raw_rows


def read_samples(folder: Path) -> list[Conversation]:
    """The well-formed conversations of the logs `<format>.jsonl` in a folder, unfiltered.

    Raises:
        InputError: the folder holds no such log.
    """
    logs = [(name, folder / f"{name}.jsonl") for name in FORMATS]
    found = [(name, path) for name, path in logs if path.is_file()]
    if not found:
        raise InputError(f"{folder}: holds no log; one of {', '.join(FORMATS)}.jsonl is wanted")
    conversations: dict[str, Conversation] = {}
    for name, path in found:
        for _, row in read_raw_rows(path):
            try:
                conversation = FORMATS[name](row or {}, name)
            except MalformedRow:
                continue  # `ingest` counts them
            conversations.setdefault(conversation.conversation_id, conversation)
    return list(conversations.values())
