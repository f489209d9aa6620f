import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from feedback_lens.calls.catalog import ModelFacts, Price
from feedback_lens.calls.request import Delivery, Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError
from feedback_lens.planning.bounds import bound_calls
from feedback_lens.planning.cost import Cost, Pace
from feedback_lens.planning.demands import ASKING, Basis, CellDemand, asks_a_model
from feedback_lens.planning.lines import Line, Measures, make_lines
from feedback_lens.planning.pipeline import Cell, Pipeline
from feedback_lens.planning.plan import Plan
from feedback_lens.planning.rates import Rates, measure_rates
from feedback_lens.planning.table import show_plan
from import_closure import find_closure

PROJECT = Path(__file__).parents[1]
WORDS = "--model m --temperature 1.0 --max_tokens 10 --reasks 1 --reasoning_effort None"
SAMPLING = WORDS.split()
PACE = Pace("endpoint", concurrency=4, requests_per_minute=None, tokens_per_minute=None)
# 1,000 dollars a million tokens of a prompt, 2,000 of a reply
FACTS = ModelFacts("m", Price(1000, 1000, 2000), batch_share=0.5)


def cell(name: str, *arguments: str, outs: tuple[str, ...] = (), module: str = "") -> Cell:
    module = module or name.partition("@")[0]
    return Cell(name, module, arguments, outs, (), frozenset(), "runs")


def demand(name: str = "label@own", basis: Basis = "exact", **numbers: Any) -> CellDemand:
    """Ten calls of 40 characters each, and up to 10 tokens of each reply."""
    known = {"kept": 0, "calls": 10, "most_calls": 10, "prompt_characters": 400}
    settings = {"is_local": False, "most_completion_tokens": 10, **known, **numbers}
    return CellDemand(cell(name), "label", "m", basis=basis, **settings)


def unknown(name: str, most_calls: int | None) -> CellDemand:
    nothing = {"kept": None, "calls": None, "prompt_characters": None}
    return demand(name, "parameters", most_calls=most_calls, **nothing)


def measures(rates: Rates | None = None, **changes: Any) -> Measures:
    found = rates or Rates()
    base = Measures(lambda purpose, model: found, lambda model: FACTS, PACE, seconds_per_call=3.6)
    return replace(base, **changes)


def test_a_line_is_what_the_cells_of_a_stage_ask_on_one_basis() -> None:
    demands = [demand("label@a"), demand("label@b"), demand("label@c", "present_inputs")]
    lines = make_lines(demands, measures())
    assert [(line.cells, line.expected.calls) for line in lines] == [
        (("label@a", "label@b"), 20),
        (("label@c",), 10),
    ]


def test_replies_are_expected_as_long_as_those_before_and_at_most_of_max_tokens() -> None:
    [line] = make_lines([demand()], measures(Rates(0.5, 60, None, completion_tokens=4.0)))
    # 10 prompts of 40 characters, half a token each, and 10 replies of 4 tokens:
    # 200 x 0.001 + 40 x 0.002 dollars; 10 calls of 3.6 seconds, 4 at once
    hours = pytest.approx(10 * 3.6 / 4 / 3600)
    assert line.expected == Cost(10, 200, 40, pytest.approx(0.28), pytest.approx(0.14), hours)
    # with replies of 10 tokens: 0.2 + 100 x 0.002
    assert line.at_most == Cost(10, 200, 100, pytest.approx(0.4), pytest.approx(0.2), hours)


def test_a_bound_takes_the_length_of_the_prompts_of_the_stage_that_are_known() -> None:
    lines = make_lines([demand("label@a"), unknown("label@b", most_calls=30)], measures())
    # 30 prompts of 40 characters, 4 a token
    assert (lines[1].expected.calls, lines[1].expected.usd) == (None, None)
    assert (lines[1].at_most.calls, lines[1].at_most.prompt_tokens) == (30, 300)


def test_a_bound_takes_the_mean_of_the_ledger_where_no_prompt_is_known() -> None:
    [line] = make_lines([unknown("label@b", 30)], measures(Rates(prompt_tokens=7.0)))
    assert line.at_most.prompt_tokens == 210


def test_what_is_not_known_is_null_and_never_0() -> None:
    [line] = make_lines([unknown("label@a", None)], measures())
    assert (line.kept, line.expected, line.at_most) == (None, Cost(), Cost())
    [line] = make_lines([unknown("label@a", 30)], measures())
    assert (line.at_most.calls, line.at_most.prompt_tokens, line.at_most.usd) == (30, None, None)


def test_one_unknown_cell_makes_the_sum_of_its_line_unknown() -> None:
    [line] = make_lines([unknown("label@a", 30), unknown("label@b", None)], measures())
    assert line.at_most.calls is None


def test_a_reply_without_a_limit_has_no_bound() -> None:
    [line] = make_lines([demand(most_completion_tokens=None)], measures())
    assert (line.expected.usd, line.at_most.usd) == (None, None)


def test_a_model_without_a_price_costs_an_unknown_amount() -> None:
    [line] = make_lines([demand()], measures(facts=lambda model: ModelFacts("m")))
    assert (line.expected.prompt_tokens, line.expected.usd) == (100, None)


def test_a_local_model_costs_no_dollars() -> None:
    [line] = make_lines([demand(is_local=True)], measures())
    assert (line.expected.calls, line.expected.usd, line.at_most.usd) == (10, 0.0, 0.0)


def test_the_seconds_of_a_call_are_those_of_the_ledger_where_there_are_any() -> None:
    [line] = make_lines([demand()], measures(Rates(seconds=36.0)))
    assert line.expected.hours == pytest.approx(10 * 36 / 4 / 3600)


def test_the_tightest_limit_decides_over_the_hours() -> None:
    pace = Pace("endpoint", 4, requests_per_minute=2, tokens_per_minute=None)
    # 120 calls at 2 a minute, against 120 x 60 / 4 seconds
    assert pace.hours(120, None, 60) == pytest.approx(1.0)
    assert pace.hours(120, None, 480) == pytest.approx(4.0)
    pace = Pace("endpoint", 4, requests_per_minute=2, tokens_per_minute=100)
    # 12,000 tokens at 100 a minute
    assert pace.hours(120, 12_000, 60) == pytest.approx(2.0)
    assert pace.hours(120, None, 60) is None


def keep(path: Path, count: int, stage: str, prompt: str, tokens: tuple[int | None, int]) -> None:
    store = ResponseStore(path)
    response = Response("answered", "yes", "m", *tokens, "2026-11-23T00:00:00+00:00")
    deliveries = [
        Delivery(ask_user("m", f"{prompt}{n:04}", Sampling()), response, "endpoint", 0.1, 2.0)
        for n in range(count)
    ]
    store.keep(deliveries, stage)
    store.close()


def test_rates_are_measured_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    keep(path, 50, "label", "a question", (7, 3))
    # 14 characters and 7 tokens a prompt
    assert measure_rates(path, "label", "m") == Rates(0.5, 50, 7.0, 3.0, 2.0)


def test_too_few_answers_measure_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    keep(path, 19, "label", "a question", (7, 3))
    assert measure_rates(path, "label", "m") == Rates(0.25, 0, None, None, 2.0)
    keep(path, 49, "label", "a question", (7, 3))
    assert measure_rates(path, "label", "m") == Rates(0.25, 0, 7.0, 3.0, 2.0)


def test_replies_of_other_stages_tell_the_length_where_the_own_are_few(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    keep(path, 30, "label", "a question", (7, 3))
    keep(path, 30, "regenerate", "another question", (10, 9))
    assert measure_rates(path, "regenerate", "m").completion_tokens == 9.0
    # of the judge there are none: (30 x 3 + 30 x 9) / 60
    assert measure_rates(path, "judge", "m").completion_tokens == 6.0
    assert measure_rates(path, "judge", "m").prompt_tokens is None
    assert measure_rates(path, "judge", "other") == Rates()


def test_answers_whose_tokens_were_not_counted_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    keep(path, 60, "label", "uncounted", (None, 3))
    assert measure_rates(path, "label", "m") == Rates(seconds=2.0)


def test_a_store_that_is_missing_is_not_made(tmp_path: Path) -> None:
    assert measure_rates(tmp_path / "store.sqlite", "label", "m") == Rates()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_text("notes " * 100)
    with pytest.raises(InputError, match="not a response store"):
        measure_rates(path, "label", "m")


def pipeline(*cells: Cell) -> Pipeline:
    return Pipeline(PROJECT, {cell.name: cell for cell in cells})


SIZES = "--negative 20 --positive 5 --random 7"
TABLES = "--conversations c --labels l --splits data/splits/own.parquet --metrics m --salt s"
SPLIT = cell("split@own", *f"{TABLES} {SIZES}".split(), outs=("data/splits/own.parquet",))


def test_a_regeneration_is_bounded_by_the_size_of_its_split() -> None:
    words = "--splits data/splits/own.parquet --prompts p --assistant a --replies r --counts c"
    for regeneration, size in (("neg_semantic", 20), ("rand_scratch", 7)):
        own = cell("regenerate@own", *words.split(), "--regeneration", regeneration, *SAMPLING)
        assert bound_calls(own, pipeline(SPLIT, own)) == size
        # splits that no stage makes have no size
        assert bound_calls(own, pipeline(own)) is None


def test_a_rating_asks_twice_of_each_prompt_of_the_splits() -> None:
    words = "--splits data/splits/own.parquet --prompts p --assistant a --ratings r --counts c"
    own = cell("rate_prompts@own", *words.split(), "--metrics", "m", "--rater", "llm", *SAMPLING)
    assert bound_calls(own, pipeline(SPLIT, own)) == 2 * (20 + 5 + 7)


def test_a_judge_asks_once_a_model_question_and_turn() -> None:
    axes = "--bases b --corpora c --recipes r --recipes kto --seeds 1 --seeds 2 --seeds 3"
    words = f"--answers a {axes} --judge llm --prompt p --assistant a --judgments j --counts c"
    folder = PROJECT / "data/benchmarks/mt_bench"
    own = cell("judge@mt_bench-llm", *words.split(), "--questions", str(folder), *SAMPLING)
    # 12 questions of two turns, to the base and to two recipes of three seeds
    assert bound_calls(own, pipeline(own)) == 12 * 2 * (1 + 2 * 3)
    gone = replace(own, arguments=(*own.arguments, "--questions", "nowhere"))
    assert bound_calls(gone, pipeline(gone)) is None


def test_labels_are_bounded_by_the_rows_of_the_raw_log(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"id": 1}\n{"id": 2}\nbroken\n')
    asked = ["--samples", "1", "--window", "1000"]
    words = ["--log", str(tmp_path / "own.jsonl"), "--conversations", "c.parquet"]
    ingest = cell("ingest@own", *words, outs=("c.parquet",))
    words = "--conversations c.parquet --detector prompted --detector_folder d --prompts p"
    own = cell("label@own", *words.split(), *SAMPLING, *asked)
    assert bound_calls(own, pipeline(ingest, own)) == 3
    thrice = cell("label@own", *words.split(), *SAMPLING, *asked, "--samples", "3")
    assert bound_calls(thrice, pipeline(ingest, thrice)) == 9
    # a row of 2,020 characters or so: at most 1 + 3 x 2,020 / 1,000 windows
    with (tmp_path / "own.jsonl").open("a") as log:
        log.write(json.dumps({"text": "x" * 2000}) + "\n")
    assert bound_calls(own, pipeline(ingest, own)) == 3 + 7
    (tmp_path / "own.jsonl").unlink()
    assert bound_calls(own, pipeline(ingest, own)) is None


def test_a_stand_in_asks_no_model() -> None:
    assert asks_a_model(cell("judge@mt_bench-llm", "--judge", "llm"))
    assert not asks_a_model(cell("judge@mt_bench-reference", "--judge", "reference"))
    assert asks_a_model(cell("label_gold@own-prior", "--detector", "prior", module="label"))
    assert not asks_a_model(cell("label_gold@own-local", "--detector", "local", module="label"))
    assert not asks_a_model(cell("rate_prompts@own", "--rater", "rules"))
    assert not asks_a_model(cell("score_toxicity@own", "--scorer", "local"))
    assert not asks_a_model(SPLIT)


def test_every_stage_that_can_ask_a_model_is_planned() -> None:
    modules = [path.stem for path in (PROJECT / "src/feedback_lens/stages").glob("[a-z]*.py")]
    asking = {
        module
        for module in modules
        if "src/feedback_lens/calls/assistant.py" in find_closure(f"feedback_lens.stages.{module}")
    }
    assert asking == ASKING.keys()


def plan_of(*lines: Line, **changes: Any) -> Plan:
    base = Plan(
        lines=lines,
        settled=(),
        answers=0,
        first=(),
        warnings=(),
        pace=PACE,
        seconds_per_call=5.0,
        prices_of=date(2026, 11, 23),
        rates={("label", "m"): Rates()},
    )
    return replace(base, **changes)


def test_the_table_sums_up_what_is_known_and_marks_where_that_is_not_all() -> None:
    demands = [demand("label@a"), unknown("judge@b", 30), demand("regenerate@c", "present_inputs")]
    found = list(show_plan(plan_of(*make_lines(demands, measures()))))[:5]
    # 100 x 0.001 + 100 x 0.002 dollars
    assert [" ".join(line.split()) for line in found] == [
        "stage model kept calls max calls prompt tok. reply tok. USD max USD batch USD hours",
        "label m 0 10 10 100 100 0.30 0.30 0.15 <0.01",
        "judge < m ? ? 30 ? ? ? ? ? ?",
        "regenerate ~ m 0 10 10 100 100 0.30 0.30 0.15 <0.01",
        "total ? 20+? 50 200+? 200+? 0.60+? 0.60+? 0.30+? <0.01+?",
    ]


def test_where_all_is_recorded_the_table_says_so() -> None:
    kept = demand(kept=10, calls=0, most_calls=0, prompt_characters=0)
    text = "\n".join(show_plan(plan_of(*make_lines([kept], measures()))))
    assert "Nothing to pay: every reply that is asked for is recorded." in text
    assert "?" not in text


def test_the_table_ends_with_the_warnings() -> None:
    assert list(show_plan(plan_of(warnings=("mind the gap",))))[-1] == "! mind the gap"
