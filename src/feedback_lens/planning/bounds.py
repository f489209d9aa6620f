"""How many calls a cell can make at most, by the parameters, where its inputs are not there yet."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from feedback_lens.analysis.prompt_sets import read_prompt_set
from feedback_lens.benchmarks.cells import list_models
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.errors import InputError
from feedback_lens.logs.rawfiles import read_raw_rows
from feedback_lens.planning.pipeline import Cell, Pipeline
from feedback_lens.training.regeneration import parse_regeneration

CALLS_PER_RATED_PROMPT = 2  # its quality and its complexity
SIZES = {"neg": "negative", "pos": "positive", "rand": "rand"}  # options of the stage split


def bound_calls(cell: Cell, pipeline: Pipeline) -> int | None:
    """The most calls that a cell makes, repeated asking after unreadable replies aside.

    None where not even its parameters and the files that are there tell.
    """
    with suppress(InputError):  # a benchmark or a log that is not there either
        return _BOUNDS[cell.module](cell.options, pipeline)
    return None


def _bound_label(options: Mapping[str, Any], pipeline: Pipeline) -> int | None:
    reader = pipeline.find_producer(options["conversations"])
    # of a sparse gold set a row has several conversations
    if reader is None or reader.options.get("setting") == "sparse":
        return None
    rows = read_raw_rows(reader.options["log" if "log" in reader.options else "path"])
    window = options["window"]
    return int(options["samples"]) * sum(_bound_windows(len(str(row)), window) for row in rows)


def _bound_windows(characters: int, window: int) -> int:
    # a window and the turn that did not fit behind it are longer than the limit, and no turn is
    # counted more than three times so: twice where windows overlap, once where it did not fit
    return 1 if characters <= window else 1 + 3 * characters // window


def _bound_regenerate(options: Mapping[str, Any], pipeline: Pipeline) -> int | None:
    split, _ = parse_regeneration(options["regeneration"])
    return _read_sizes(options["splits"], pipeline).get(split)


def _bound_rate_prompts(options: Mapping[str, Any], pipeline: Pipeline) -> int | None:
    sizes = _read_sizes(options["splits"], pipeline)
    return CALLS_PER_RATED_PROMPT * sum(sizes.values()) if sizes else None


def _bound_rate_prompt_sets(options: Mapping[str, Any], pipeline: Pipeline) -> int:
    prompts = read_prompt_set(options["prompt_set"], options["path"], options["prompt_format"])
    return CALLS_PER_RATED_PROMPT * sum(1 for _ in prompts)


def _bound_judge(options: Mapping[str, Any], pipeline: Pipeline) -> int:
    axes = (options[name] for name in ("bases", "corpora", "recipes", "seeds"))
    return len(list_models(*axes)) * count_turns([options["questions"]])


def _bound_score_toxicity(options: Mapping[str, Any], pipeline: Pipeline) -> int | None:
    sizes = _read_sizes(options["splits"], pipeline)
    return sum(sizes.values()) if sizes else None


def count_answers(cell: Cell) -> int:
    """The replies that a cell of `answer` asks of its model: one a question and turn.

    Raises:
        InputError: a benchmark is missing.
    """
    return count_turns(cell.options["questions"] / name for name in cell.options["benchmarks"])


def count_turns(benchmarks: Iterable[Path]) -> int:
    """Questions of benchmark folders, each turn of one counted."""
    return sum(len(q.turns) for folder in benchmarks for q in read_questions(folder))


def _read_sizes(splits: Path, pipeline: Pipeline) -> dict[str, int]:
    """The sizes of the splits in a file, from the options of the cell that writes it."""
    writer = pipeline.find_producer(splits)
    if writer is None or writer.module != "split":
        return {}
    return {split: int(writer.options[name]) for split, name in SIZES.items()}


_BOUNDS: Mapping[str, Callable[[Mapping[str, Any], Pipeline], int | None]] = {
    "label": _bound_label,
    "regenerate": _bound_regenerate,
    "rate_prompts": _bound_rate_prompts,
    "rate_prompt_sets": _bound_rate_prompt_sets,
    "judge": _bound_judge,
    "score_toxicity": _bound_score_toxicity,
}
