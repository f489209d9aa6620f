"""How many calls a cell can make at most, by the parameters, where its inputs are not there yet."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from feedback_lens.analysis.prompt_sets import read_prompt_set
from feedback_lens.axes import JudgeAxes
from feedback_lens.benchmarks.pairs.pairing import find_opponents
from feedback_lens.benchmarks.questions import read_questions
from feedback_lens.errors import InputError
from feedback_lens.logs.rawfiles import read_raw_rows
from feedback_lens.params import read_axes
from feedback_lens.planning.pipeline import Cell, Pipeline
from feedback_lens.training.regeneration import parse_regeneration

CALLS_PER_RATED_PROMPT = 2  # its quality and its complexity
SIZES = {"neg": "negative", "pos": "positive", "rand": "rand"}  # options of the stage split
# turns of the published benchmarks: 80 questions of two, and 1,024 tasks
PUBLISHED = {"mt_bench": 160, "wildbench": 1024}
Bound = Mapping[str, int]


def bound_calls(cell: Cell, pipeline: Pipeline) -> Bound | None:
    """The most calls that a cell makes, by what they ask for (names of `lengths.STAND_INS`).

    Repeated asking after unreadable replies is left aside. None where not even the cell's
    parameters and the files that are there tell.
    """
    with suppress(InputError):  # a benchmark or a log that is not there either
        return _BOUNDS[cell.module](cell.options, pipeline)
    return None


def _bound_label(options: Mapping[str, Any], pipeline: Pipeline) -> Bound | None:
    reader = pipeline.find_producer(options["conversations"])
    # of a sparse gold set a row has several conversations
    if reader is None or reader.options.get("setting") == "sparse":
        return None
    rows = read_raw_rows(reader.options["log" if "log" in reader.options else "path"])
    window = options["window"]
    windows = sum(_bound_windows(len(str(row)), window) for row in rows)
    return {"label": options["samples"] * windows}


def _bound_windows(characters: int, window: int) -> int:
    # a window and the turn that did not fit behind it are longer than the limit, and no turn is
    # counted more than three times so: twice where windows overlap, once where it did not fit
    return 1 if characters <= window else 1 + 3 * characters // window


def _bound_regenerate(options: Mapping[str, Any], pipeline: Pipeline) -> Bound | None:
    split, method = parse_regeneration(options["regeneration"])
    size = _read_sizes(options["splits"], pipeline).get(split)
    return None if size is None else {f"regenerate {method}": size}


def _bound_rate_prompts(options: Mapping[str, Any], pipeline: Pipeline) -> Bound | None:
    rows = _count_analyzed(options, pipeline)
    return {"rate_prompts": CALLS_PER_RATED_PROMPT * rows} if rows else None


def _bound_rate_prompt_sets(options: Mapping[str, Any], pipeline: Pipeline) -> Bound:
    prompts = read_prompt_set(options["prompt_set"], options["path"], options["prompt_format"])
    return {"rate_prompts": CALLS_PER_RATED_PROMPT * sum(1 for _ in prompts)}


def _bound_judge(options: Mapping[str, Any], pipeline: Pipeline) -> Bound:
    chosen = JudgeAxes(*(options[x] for x in ("benchmarks", "bases", "corpora", "recipes")))
    models = [model for model in read_axes(options["params"]).models() if chosen.judges(model)]
    return _bound_turns("judge", options, len(models) * options["repetitions"], pipeline)


def _bound_judge_pairs(options: Mapping[str, Any], pipeline: Pipeline) -> Bound:
    compared = find_opponents(read_axes(options["params"]).models(), options["against"])
    draws = len(compared) * options["repetitions"] * (2 if options["both_orders"] else 1)
    return _bound_turns("judge_pairs", options, draws, pipeline)


def _bound_turns(
    purpose: str, options: Mapping[str, Any], draws: int, pipeline: Pipeline
) -> dict[str, int]:
    """So many draws of each turn of the benchmarks."""
    turns = count_turns(options, pipeline)
    return {f"{purpose} of {name}": draws * number for name, number in turns.items()}


def _bound_score_toxicity(options: Mapping[str, Any], pipeline: Pipeline) -> Bound | None:
    rows = _count_analyzed(options, pipeline)
    return {"score_toxicity": rows} if rows else None


def _count_analyzed(options: Mapping[str, Any], pipeline: Pipeline) -> int:
    sizes = _read_sizes(options["splits"], pipeline).values()
    limit = options["rows_per_split"]
    return sum(size if limit is None else min(size, limit) for size in sizes)


def count_turns(options: Mapping[str, Any], pipeline: Pipeline) -> Counter[str]:
    """The turns of a cell's benchmarks, by their names: of the published ones, or of the files.

    Where one of the files is missing that the pipeline reads in their folder, the questions that
    are there are not those to come: a benchmark that is published counts as published.

    Raises:
        InputError: a benchmark is missing.
    """
    folder, names = options["questions"], options["benchmarks"]
    is_filled = not pipeline.misses_in(folder)
    return Counter(
        {
            name: sum(len(question.turns) for question in read_questions(folder / name))
            if is_filled or name not in PUBLISHED
            else PUBLISHED[name]
            for name in names
        }
    )


def count_answers(pipeline: Pipeline) -> int:
    """The replies that the cells of `answer` which would run ask of their models.

    Raises:
        InputError: a benchmark is missing.
    """
    wanted = Counter(
        (cell.options["questions"], cell.options["benchmarks"])
        for cell in pipeline.cells.values()
        if cell.module == "answer" and cell.state == "runs"
    )
    return sum(
        number * count_turns({"questions": folder, "benchmarks": names}, pipeline).total()
        for (folder, names), number in wanted.items()
    )


def _read_sizes(splits: Path, pipeline: Pipeline) -> dict[str, int]:
    """The sizes of the splits in a file, from the options of the cell that writes it."""
    writer = pipeline.find_producer(splits)
    if writer is None or writer.module != "split":
        return {}
    return {split: int(writer.options[name]) for split, name in SIZES.items()}


_BOUNDS: Mapping[str, Callable[[Mapping[str, Any], Pipeline], Bound | None]] = {
    "label": _bound_label,
    "regenerate": _bound_regenerate,
    "rate_prompts": _bound_rate_prompts,
    "rate_prompt_sets": _bound_rate_prompt_sets,
    "judge": _bound_judge,
    "judge_pairs": _bound_judge_pairs,
    "score_toxicity": _bound_score_toxicity,
}
