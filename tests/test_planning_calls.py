from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoint import Endpoint, environment, serve
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.models import name_local_model
from feedback_lens.calls.planning import Demand, Planned, current_plan, planning
from feedback_lens.calls.request import Request, Sampling, ask_user


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    with serve() as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


def ask(text: str, max_tokens: int | None = 10) -> Request:
    return ask_user("m", text, Sampling(max_tokens=max_tokens))


def test_a_demand_adds_up_what_would_be_sent() -> None:
    demand = Demand()
    messages = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüße 👋"})
    demand.add(Request("m", messages, Sampling(max_tokens=64)))
    demand.add(ask("four", 10))
    demand.add(ask("five!", None))
    # 9 + 7 + 4 + 5 characters, 64 + 10 tokens, and one reply without a bound
    assert demand == Demand(calls=3, prompt_characters=25)


def test_in_planning_nothing_is_sent_and_what_is_missing_is_counted(
    server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_assistant("label", "m", tmp_path).ask([ask("a"), ask("b")])
    capsys.readouterr()
    with planning() as plan, pytest.raises(Planned):
        open_assistant("label", "m", tmp_path).ask([ask("a"), ask("dog"), ask("b"), ask("dog")])
    assert plan.demands == {("label", "m"): Demand(2, 1, 3)}
    assert len(server.received) == 2
    assert capsys.readouterr().err == ""


def test_in_planning_what_is_kept_answers(server: Endpoint, tmp_path: Path) -> None:
    kept = open_assistant("label", "m", tmp_path).ask([ask("a")])
    with planning() as plan:
        assert open_assistant("label", "m", tmp_path).ask([ask("a")]) == kept
    assert plan.demands == {("label", "m"): Demand(kept=1)}


def test_demands_are_kept_apart_by_stage_and_model(server: Endpoint, tmp_path: Path) -> None:
    with planning() as plan:
        for purpose, model, text in (("label", "m", "a"), ("judge", "m", "a"), ("label", "m", "b")):
            with pytest.raises(Planned):
                open_assistant(purpose, model, tmp_path).ask([ask(text)])
        with pytest.raises(Planned):
            open_assistant("label", "other", tmp_path).ask([ask("c")])
    assert {name: demand.calls for name, demand in plan.demands.items()} == {
        ("label", "m"): 2,
        ("judge", "m"): 1,
        ("label", "other"): 1,
    }
    assert server.received == []


def test_planning_needs_no_key_and_no_model_that_still_answers(
    server: Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text("models: {m: {shutdown: 2020-01-01}}")
    monkeypatch.setenv("FEEDBACK_LENS_CATALOG", str(catalog))
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "0")
    monkeypatch.delenv("OPENAI_API_KEY")
    with planning() as plan, pytest.raises(Planned):
        open_assistant("label", "m", tmp_path).ask([ask("a")])
    assert plan.demands[("label", "m")].calls == 1
    # the plan tells of shutdowns itself
    assert capsys.readouterr().err == ""


def test_a_local_model_is_planned_under_its_name_and_not_loaded(
    server: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text("{}")
    with planning() as plan, pytest.raises(Planned):
        open_assistant("regenerate", "m", tmp_path / "tiny").ask([ask("a")])
    assert list(plan.demands) == [("regenerate", name_local_model(tmp_path / "tiny"))]


def test_a_plan_holds_inside_its_block_alone(server: Endpoint, tmp_path: Path) -> None:
    assert current_plan() is None
    with planning() as outer:
        with planning() as inner:
            assert current_plan() is inner
        assert current_plan() is outer
    assert current_plan() is None
    with pytest.raises(RuntimeError), planning():
        raise RuntimeError("a stage's own")
    assert current_plan() is None
    assert len(open_assistant("label", "m", tmp_path).ask([ask("a")])) == 1
