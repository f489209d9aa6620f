"""What calls took so far, measured in the response store: the ground of estimates."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from feedback_lens.errors import InputError

# of English text; where the store has too few answers to tell
TOKENS_A_CHARACTER = 0.25
LEAST_FOR_RATIO = 50
LEAST_FOR_MEAN = 20
# a key is a hash, so that the first of them are a random draw
SAMPLE = 1000
Rows = Sequence[tuple[float, ...]]  # prompt tokens, reply tokens, characters of the prompt
_CHARACTERS = """(
    SELECT sum(length(json_extract(message.value, '$.content')))
    FROM json_each(r.request, '$.messages') AS message
)"""
_OF_MODEL = f"""
SELECT prompt_tokens, completion_tokens, {_CHARACTERS} FROM responses AS r
WHERE json_extract(request, '$.model') = ? AND prompt_tokens + completion_tokens > 0
ORDER BY key LIMIT {SAMPLE}
"""
_OF_STAGE = f"""
SELECT prompt_tokens, completion_tokens, {_CHARACTERS}
FROM ledger JOIN responses AS r ON r.key = ledger.key
WHERE ledger.model = ? AND ledger.stage = ? AND prompt_tokens + completion_tokens > 0 LIMIT {SAMPLE}
"""
_SECONDS = "SELECT avg(seconds) FROM ledger WHERE model = ?"


@dataclass(frozen=True)
class Rates:
    """What a call of a stage to a model takes; null where too few answers are there to tell.

    `tokens_a_character` is of prompts, measured where `answers` is not 0; `prompt_tokens` and
    `completion_tokens` are means over the stage's calls, the latter, where these are few, over all
    calls of the model; `seconds` the mean from sending a request to its reply.
    """

    tokens_a_character: float = TOKENS_A_CHARACTER
    answers: int = 0
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    seconds: float | None = None


def measure_rates(store_path: Path, stage: str, model: str) -> Rates:
    """The rates of a stage's calls to a model, by the response store where there is one.

    Raises:
        InputError: the file is no response store.
    """
    if not store_path.is_file():
        return Rates()
    try:
        of_model, of_stage, seconds = _read(store_path, stage, model)
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{store_path}: not a response store ({error}); move it away, or set "
            "FEEDBACK_LENS_STORE"
        ) from None
    prompt, completion, _ = _mean(of_stage, LEAST_FOR_MEAN) or (None, None, None)
    if completion is None:
        _, completion, _ = _mean(of_model, LEAST_FOR_MEAN) or (None, None, None)
    tokens, _, characters = _mean(of_model, LEAST_FOR_RATIO) or (None, None, None)
    if not tokens or not characters:
        return Rates(prompt_tokens=prompt, completion_tokens=completion, seconds=seconds)
    return Rates(tokens / characters, len(of_model), prompt, completion, seconds)


def _read(path: Path, stage: str, model: str) -> tuple[Rows, Rows, float | None]:
    """Tokens and characters of the model's answers and of the stage's, and the mean seconds."""
    # neither made where it is missing, nor written to
    with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as database:
        of_model = database.execute(_OF_MODEL, [model]).fetchall()
        with suppress(sqlite3.OperationalError):  # a store of before the ledger
            of_stage = database.execute(_OF_STAGE, [model, stage]).fetchall()
            [(seconds,)] = database.execute(_SECONDS, [model])
            return of_model, of_stage, seconds
    return of_model, [], None


def _mean(rows: Rows, least: int) -> tuple[float, ...] | None:
    if len(rows) < least:
        return None
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
