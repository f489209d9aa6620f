"""The answers to benchmark questions that the page shows, with their judges' words and scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feedback_lens.axes import Axes, Model
from feedback_lens.benchmarks.pairs.pairing import find_opponents
from feedback_lens.benchmarks.questions import Question, read_questions
from feedback_lens.errors import InputError
from feedback_lens.tables import read_json, stream_rows

AXES = ["base", "corpus", "recipe", "seed"]
JUDGED = [*AXES, "question_id", "turn", "repetition", "outcome", "judgment"]
# of a question: for each model the turns of its answer, or its judgments
Cells = list[list[Any]]


@dataclass(frozen=True)
class Shown:
    """What is shown of one benchmark, and where a row of a table finds its place.

    `texts` goes from a text to its number on the page and grows: equal texts are one.
    """

    benchmark: str
    questions: Sequence[Question]
    models: Sequence[Model]
    texts: dict[str, int] = field(repr=False)

    def select(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The rows of shown questions, each behind the place of its question."""
        places = {question.question_id: place for place, question in enumerate(self.questions)}
        return ((places[r["question_id"]], r) for r in rows if r["question_id"] in places)

    def number(self, text: str | None) -> int | None:
        """The number of a text; null without one."""
        return None if text is None else self.texts.setdefault(text, len(self.texts))


def read_shown_answers(axes: Axes, data: Path, benchmarks: Path, limit: int) -> dict[str, Any]:
    """The answers of every model to `limit` questions of each benchmark, spread over its file.

    Keys: `models` (key, base, corpus, recipe, seed; null corpus and seed: untrained), `texts`, each
    once, which the rest names by number, and `benchmarks`: name, `total` of its questions,
    `questions`, `answers` (question -> model -> turn -> text, outcome, tokens), `judges` (name,
    model, null of a stand-in, and `rows`: question -> model -> turn, repetition, score, outcome,
    words) and `pairs` (name, model, against, and `rows`: question -> model, other, turn, order,
    repetition, verdict, outcome, words). No more rows than are shown are held.

    Raises:
        InputError: a benchmark's questions or a table are missing or unreadable, or a model lacks
            an answer; the message names the file.
    """
    models = axes.models()
    texts: dict[str, int] = {}
    shown = []
    for name in axes.benchmarks if models and limit else ():
        questions = read_questions(benchmarks / name)
        chosen = Shown(name, choose_questions(questions, limit), models, texts)
        shown.append(
            {
                "name": name,
                "total": len(questions),
                "questions": [_show_question(question) for question in chosen.questions],
                "answers": _read_answers(data / "answers", chosen),
                "judges": _read_judges(data / "judgments/answers", axes, chosen),
                "pairs": _read_pairs(data / "judgments/pairs", axes, chosen),
            }
        )
    keyed = [{"key": model.folder.as_posix(), **model._asdict()} for model in models]
    return {"models": keyed, "benchmarks": shown, "texts": list(texts)}


def explain_absence(axes: Axes, answers: Mapping[str, Any]) -> str | None:
    """Why the page has no answers; null where it has some."""
    if not axes.benchmarks or not axes.models():
        return (
            "Not run: no model answers a benchmark (run.models, run.untrained and "
            "run.evaluation.benchmarks in params.yaml)."
        )
    return None if answers["benchmarks"] else "None shown: report.questions is 0."


def choose_questions(questions: Sequence[Question], limit: int) -> list[Question]:
    """At most `limit` questions, spread evenly: MT-Bench's file is ordered by category."""
    count = min(limit, len(questions))
    return [questions[place * len(questions) // count] for place in range(count)]


def _show_question(question: Question) -> dict[str, Any]:
    return {
        "id": question.question_id,
        "categories": question.categories,
        "turns": question.turns,
        "history": [[message["role"], message["content"]] for message in question.history],
        "references": question.references,
        "checklist": question.checklist,
    }


def _read_answers(folder: Path, shown: Shown) -> Cells:
    paths = [folder / model.folder / f"{shown.benchmark}.parquet" for model in shown.models]
    by_model = [_read_model(path, shown) for path in paths]
    return [list(cells) for cells in zip(*by_model, strict=True)]


def _read_model(path: Path, shown: Shown) -> list[Any]:
    found = {(place, row["turn"]): row for place, row in shown.select(stream_rows(path))}

    def show(place: int, turn: int) -> list[Any]:
        if (place, turn) not in found:
            identifier = shown.questions[place].question_id
            raise InputError(
                f"{path}: no answer to question {identifier}, turn {turn}; run `dvc repro`"
            )
        row = found[place, turn]
        return [shown.number(row["answer"]), row["outcome"], row["tokens"]]

    return [
        [show(place, turn) for turn in range(1, len(question.turns) + 1)]
        for place, question in enumerate(shown.questions)
    ]


def _read_judges(folder: Path, axes: Axes, shown: Shown) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "model": read_json(folder / name / f"{shown.benchmark}.json")["model"],
            "rows": _read_judgments(folder / name / f"{shown.benchmark}.parquet", shown),
        }
        for name, judge in axes.judges.items()
        if shown.benchmark in judge.benchmarks
    ]


def _read_judgments(path: Path, shown: Shown) -> Cells:
    places = {model: place for place, model in enumerate(shown.models)}
    cells: Cells = [[[] for _ in places] for _ in shown.questions]
    for question, row in shown.select(stream_rows(path, [*JUDGED, "score"])):
        model = Model(*(row[axis] for axis in AXES))
        if model in places:  # a table may hold models of an earlier run
            words = shown.number(row["judgment"])
            told = [row[name] for name in ("turn", "repetition", "score", "outcome")]
            cells[question][places[model]].append([*told, words])
    return cells


def _read_pairs(folder: Path, axes: Axes, shown: Shown) -> list[dict[str, Any]]:
    found = []
    for name, judge in axes.pair_judges.items():
        if shown.benchmark in judge.benchmarks:
            path = folder / name / f"{shown.benchmark}.parquet"
            opponents = find_opponents(shown.models, judge.against)
            model = read_json(path.with_suffix(".json"))["model"]
            rows = _read_verdicts(path, opponents, shown)
            found.append({"name": name, "model": model, "against": judge.against, "rows": rows})
    return found


def _read_verdicts(path: Path, opponents: Mapping[Model, Model], shown: Shown) -> Cells:
    places = {model: place for place, model in enumerate(shown.models)}
    cells: Cells = [[] for _ in shown.questions]
    for question, row in shown.select(stream_rows(path, [*JUDGED, "order", "verdict"])):
        model = Model(*(row[axis] for axis in AXES))
        if model in opponents:
            words = shown.number(row["judgment"])
            told = [row[key] for key in ("turn", "order", "repetition", "verdict", "outcome")]
            cells[question].append([places[model], places[opponents[model]], *told, words])
    return cells
