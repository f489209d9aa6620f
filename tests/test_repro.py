"""Runs the real pipeline on a small copy: what runs, what does not, and what a kill loses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint import KEY, Endpoint, environment, serve
from faults import hold_after
from pipeline_project import NO_MODELS, PARAMS, SMALL, Project, stages_run
from result_search import find_name, list_leftovers, list_results, read_text, seeds
from tiny_project import run_lens

pytestmark = pytest.mark.pipeline
# of each seed; and KTO on one log
CELLS = ("lmsys-rand_scratch", "wildchat-rand_scratch")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Project:
    """The small copy, reproduced once."""
    project = Project(tmp_path_factory.mktemp("project"), SMALL, shared_cache)
    project.repro()
    project.commit("reproduce")
    return project


def test_a_second_repro_runs_nothing(project: Project) -> None:
    assert project.repro() == []


def test_a_changed_parameter_of_split_runs_what_depends_on_it(project: Project) -> None:
    done = project.run("dvc", "exp", "run", "-S", "split.random=20")
    assert done.returncode == 0, done.stdout[-4000:]
    ran = set(stages_run(done.stdout))
    assert {"split@lmsys", "split@wildchat"} <= ran
    assert ran <= project.descendants("split@lmsys", "split@wildchat")
    # a fewer random prompts reach every table that is made of them
    assert {"regenerate@lmsys-rand_scratch", "train@tiny-lmsys-rand_scratch-1", "report"} <= ran
    # and no further: KTO learns from the other splits
    assert "train_further@tiny-lmsys-kto-1" not in ran
    project.restore()


def test_a_changed_parameter_of_train_runs_what_depends_on_it(project: Project) -> None:
    done = project.run("dvc", "exp", "run", "-S", "train.kto_learning_rate=0.01")
    assert done.returncode == 0, done.stdout[-4000:]
    ran = set(stages_run(done.stdout))
    trained = {f"train@tiny-{cell}-1" for cell in CELLS} | {"train_further@tiny-lmsys-kto-1"}
    assert trained <= ran <= project.descendants(*trained)
    assert "judge@reference" in ran
    project.restore()


def test_a_changed_parameter_of_judge_runs_what_depends_on_it(project: Project) -> None:
    done = project.run("dvc", "exp", "run", "-S", "judge.max_tokens=512")
    assert done.returncode == 0, done.stdout[-4000:]
    # the reference judge gives the same scores, so nothing behind it has to run
    assert stages_run(done.stdout) == ["judge@reference"]
    project.restore()


def test_a_touched_source_file_runs_the_stages_that_import_it(project: Project) -> None:
    module = project.folder / "src/feedback_lens/analysis/toxicity.py"
    module.write_text(module.read_text() + "\n# a word more\n")
    assert set(project.repro()) == {"score_toxicity@lmsys", "score_toxicity@wildchat"}
    project.restore()


def test_metrics_diff_and_exp_show_name_what_changed(project: Project) -> None:
    done = project.run("dvc", "exp", "run", "-n", "fewer", "-S", "compare_replies.resamples=10")
    assert done.returncode == 0, done.stdout[-4000:]
    difference = project.run("dvc", "metrics", "diff")
    assert "reply_win_rates.lmsys.semantic_vs_weak.low" in difference.stdout
    named = "metrics/compare_replies/lmsys.json"
    assert named not in difference.stdout
    assert named in project.run("dvc", "metrics", "diff", "--targets", named).stdout
    shown = project.run("dvc", "exp", "show", "--csv")
    assert "fewer" in shown.stdout and "compare_replies.resamples" in shown.stdout
    project.restore()


def test_a_killed_train_goes_on_to_the_same_bytes(project: Project) -> None:
    stage = "train@tiny-lmsys-rand_scratch-1"
    checkpoint = "models/checkpoints/tiny/lmsys/rand_scratch/1"
    params = {"train.epochs": 6, "train.save_every": 2}
    project.set_params(params)
    project.repro(stage)
    expected = project.digest(checkpoint)
    project.forget(checkpoint)
    runs = project.folder / ".feedback-lens/runs"
    project.kill_when(
        lambda: any(runs.glob("*/checkpoint-*/trainer_state.json")),
        "dvc",
        "repro",
        "--force",
        "--single-item",
        stage,
    )
    assert any(runs.glob("*/checkpoint-*"))
    done = project.run("dvc", "repro", "--force", "--single-item", stage)
    assert done.returncode == 0 and "resuming from" in done.stdout
    assert project.digest(checkpoint) == expected
    project.restore()


def test_a_seed_more_runs_just_the_new_cells_and_what_reads_them(project: Project) -> None:
    project.set_params({"run.models.seeds": [1, 2]})
    trained = {stage for stage in project.repro() if stage.startswith("train@")}
    assert trained == {f"train@tiny-{cell}-2" for cell in CELLS}
    assert seeds(project) == (2, {1, 2})


# what each removal takes away, one after the other
REMOVALS: dict[str, dict[str, Any]] = {
    "2": {"run.models.seeds": [1]},
    "kto": {"run.further_models": NO_MODELS},
    "wildchat": {
        "corpora": {"lmsys": PARAMS["corpora"]["lmsys"]},
        "run.models.corpora": ["lmsys"],
        "train_reward.pairs.corpora": ["lmsys"],
    },
    "sparse": {"gold_sets": {"lmsys": PARAMS["gold_sets"]["lmsys"]}},
}
DEAR = ("ingest", "label", "regenerate", "train_base", "train@", "answer")


@pytest.mark.parametrize("name", REMOVALS)
def test_what_was_removed_is_in_no_result_though_its_files_lie_there(
    project: Project, name: str
) -> None:
    assert name == "2" or find_name(project, name)
    project.set_params(REMOVALS[name])
    ran = project.repro()
    assert ran and not [stage for stage in ran if stage.startswith(DEAR)]
    assert any(name in Path(place).with_suffix("").parts for place in list_leftovers(project))
    if name == "2":
        assert seeds(project) == (1, {1})
    else:
        assert find_name(project, name) == set()


def test_without_the_leftovers_every_result_is_the_same(project: Project) -> None:
    before = {name: read_text(path) for name, path in list_results(project).items()}
    # the last metrics of a removed cell are neither committed here nor in the cache
    done = run_lens(project, "prune", "--delete", "--force")
    assert done.exit_code == 0, done.output
    ran = project.repro()
    assert "report" in ran and not [stage for stage in ran if stage.startswith(DEAR)]
    assert {name: read_text(path) for name, path in list_results(project).items()} == before
    assert run_lens(project, "prune").output == "no leftovers\n"
    project.restore()


LIVE = {
    **SMALL,
    "run.assistant": "data/nothing_recorded",
    "label.model": "role-play",
    "regenerate.model": "role-play",
    "run.detection.detectors": ["prompted"],
}
KILLED_STAGES = ("label@lmsys", "split@lmsys", "regenerate@lmsys-neg_semantic")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with live model calls that nothing disturbs."""
    project = live_project(tmp_path_factory.mktemp("undisturbed"))
    with serve() as server:
        for stage in KILLED_STAGES:
            project.repro(stage, **live(server, project))
    return project


def live(server: Endpoint, project: Project) -> dict[str, str]:
    return environment(server, project.folder / ".feedback-lens")


def live_project(folder: Path) -> Project:
    project = Project(folder, LIVE)
    (folder / "data/nothing_recorded").mkdir()
    (folder / "data/nothing_recorded/README").write_text("no replies here\n")
    return project


@pytest.fixture
def disturbed(tmp_path: Path) -> Iterator[Project]:
    yield live_project(tmp_path)


def test_a_killed_label_or_regenerate_asks_no_answered_request_again(
    disturbed: Project, undisturbed: Project
) -> None:
    for stage in KILLED_STAGES:
        kept = disturbed.stored()
        with serve(plan=hold_after(10)) as server:
            if stage.startswith("split"):
                disturbed.repro(stage)
                continue
            disturbed.kill_when(
                lambda kept=kept: disturbed.stored() == kept + 10,
                *("dvc", "repro", stage),
                **live(server, disturbed),
            )
            before = set(server.answered)
        with serve() as server:
            disturbed.repro(stage, **live(server, disturbed))
        assert len(before) == 10
        assert server.answered and before.isdisjoint(server.answered)
        assert set(server.answered.values()) == {1}
    outs = ("data/labels/lmsys.parquet", "data/replies/lmsys/neg_semantic.parquet")
    assert disturbed.digest(*outs) == undisturbed.digest(*outs)


def test_the_key_stands_in_no_file_of_the_project(undisturbed: Project) -> None:
    places = ("data", "metrics", "models", ".dvc", ".feedback-lens")
    files = [path for place in places for path in (undisturbed.folder / place).rglob("*")]
    read = [path for path in (*files, undisturbed.folder / "dvc.lock") if path.is_file()]
    assert any(path.name == "store.sqlite" for path in read)
    assert not [path for path in read if KEY.encode() in path.read_bytes()]
