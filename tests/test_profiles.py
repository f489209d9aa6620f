"""Holds profiles/ to params.yaml's form, and the paper's profile to the paper's matrix."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from feedback_lens.axes import Axes
from feedback_lens.downloads.table import find_set
from feedback_lens.params import read_axes
from pipeline_project import Project

PROJECT = Path(__file__).parents[1]
PROFILES = sorted((PROJECT / "profiles").glob("*.yaml"))
PAPER = PROJECT / "profiles/paper.yaml"
# sections whose entries are named by their user, with the fields of an entry; `source` is optional
NAMED = {
    "corpora": {"path", "format", "detector"},
    "gold_sets": {"path", "format", "labels", "setting", "source"},
    "prompt_sets": {"path", "format"},
    "base_models": {"source", "revision", "chat_template"},
    "reward_models": {"source", "revision", "chat_template"},
    "judges": {"method", "prompt", "model", "benchmarks", "bases", "corpora", "recipes"},
    "pair_judges": {"method", "prompt", "model", "benchmarks", "against"},
}
BASES, CORPORA = ("vicuna_7b", "mistral_7b"), ("lmsys", "wildchat")
REGENERATIONS = ("rand_scratch", "neg_scratch", "neg_semantic")
SEEDS = range(1, 6)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def list_keys(content: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted names in a file, in its order; those of named entries are left out."""
    found = []
    for key, value in content.items():
        found.append(f"{prefix}{key}")
        if isinstance(value, dict) and key not in NAMED:
            found += list_keys(value, f"{prefix}{key}.")
    return found


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_profile_has_the_keys_of_the_parameters_in_their_order(path: Path) -> None:
    assert list_keys(read(path)) == list_keys(read(PROJECT / "params.yaml"))


@pytest.mark.parametrize("path", [PROJECT / "params.yaml", *PROFILES], ids=lambda path: path.stem)
def test_an_entry_has_the_fields_of_its_kind(path: Path) -> None:
    content = read(path)
    for section, fields in NAMED.items():
        for name, entry in content[section].items():
            given = set(entry)
            optional = {"source"} if section == "gold_sets" else set()
            assert fields - optional <= given <= fields, (section, name)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_value_of_a_profile_is_commented(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [line for line in lines if re.match(r"^ +\w+: +[^#]+$", line)] == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_models_are_pinned_to_a_commit(path: Path) -> None:
    content = read(path)
    for section in ("base_models", "reward_models"):
        for entry in content[section].values():
            assert re.fullmatch(r"[0-9a-f]{40}", entry["revision"])


def test_the_page_on_the_paper_says_where_each_of_its_files_comes_from() -> None:
    page = (PROJECT / "docs/paper.md").read_text()
    told = set(re.findall(r"^\| `(data/raw/\w+)` \|", page, re.MULTILINE))
    read_by_profile = set(re.findall(r"\bdata/raw/\w+", PAPER.read_text()))
    assert told == read_by_profile
    [command] = re.findall(r"^feedback-lens fetch (\w.*)$", page, re.MULTILINE)
    fetched = [find_set(name) for name in command.split()]
    paths = {Path(path) for path in read_by_profile}
    assert all(any(entry.is_read_by(path) for entry in fetched) for path in paths)
    prompts = {Path(judge["prompt"]) for judge in read(PAPER)["judges"].values()}
    assert prompts <= {out.path for entry in fetched for out in entry.outs}


def make_project(folder: Path) -> Path:
    """dvc.yaml and the plots it names with the paper's parameters, and nothing else."""
    Repo.init(str(folder), no_scm=True).close()
    for name in ("dvc.yaml", "src/feedback_lens/report/plots/plots.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, folder / name)
    shutil.copy(PAPER, folder / "params.yaml")
    config = (PROJECT / ".dvc/config").read_text().replace("autostage = true", "no_scm = true")
    (folder / ".dvc/config").write_text(config)
    return folder


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of all stages as DVC resolves them with the paper's parameters."""
    with Repo(str(make_project(tmp_path_factory.mktemp("paper")))) as repo:
        return [stage.name for stage in repo.index.stages]


@pytest.fixture(scope="module")
def axes() -> Axes:
    return read_axes(PAPER)


def cells(stages: list[str], group: str) -> list[str]:
    """The cells of a stage of dvc.yaml, without its name."""
    return sorted(name.partition("@")[2] for name in stages if name.partition("@")[0] == group)


def named(*axes: Any) -> list[str]:
    return sorted("-".join(map(str, cell)) for cell in product(*axes))


def test_the_paper_has_283_stages(stages: list[str]) -> None:
    counted = Counter(name.partition("@")[0] for name in stages)
    once = ("fit_detector", "check_injections", "summarize", "report")
    assert counted == {
        **dict.fromkeys((*once, "test_significance", "summarize_calls", "collect_results"), 1),
        # a corpus
        **dict.fromkeys(("ingest", "label", "count_feedback", "split", "score_toxicity"), 2),
        **dict.fromkeys(("find_refusals", "rate_prompts", "check_leakage", "assemble"), 2),
        **dict.fromkeys(("score_replies", "compare_replies"), 2),
        # a gold set; two detectors each
        **dict.fromkeys(("read_gold", "evaluate_detector", "count_feedback_gold"), 3),
        "label_gold": 3 * 2,
        "rate_prompt_sets": 3,
        # two corpora, three regenerations
        "regenerate": 2 * 3,
        "fetch_model": 3,
        "fetch_model_reward": 1,
        # Table 4: two bases, two corpora, four recipes, five seeds; Table 14: one base, three recipes
        **dict.fromkeys(("train", "answer"), 2 * 2 * 4 * 5),
        **dict.fromkeys(("train_further", "answer_further"), 1 * 2 * 3 * 5),
        "answer_base": 2 + 1,
        "judge": 3,
    }
    # 7 x 1, 11 x 2, 3 x 3, 6, 3, 6, 3 + 1, 2 x 80, 2 x 30, 3 and 3
    assert len(stages) == 7 + 22 + 9 + 6 + 3 + 6 + 4 + 160 + 60 + 3 + 3 == 283


def test_the_models_are_those_of_the_paper_and_no_others(stages: list[str]) -> None:
    table_4 = named(BASES, CORPORA, (*REGENERATIONS, "kto"), SEEDS)
    table_14 = named(("qwen1_5_4b",), CORPORA, REGENERATIONS, SEEDS)
    for group in ("train", "answer"):
        assert cells(stages, group) == table_4
        assert cells(stages, f"{group}_further") == table_14
    for group in ("answer_base", "fetch_model"):
        assert cells(stages, group) == sorted((*BASES, "qwen1_5_4b"))
    assert cells(stages, "train_base") == cells(stages, "train_reward") == []


def test_the_data_are_those_of_the_paper_and_no_others(stages: list[str]) -> None:
    gold_sets = ("dense_lmsys", "dense_wildchat", "sparse")
    assert cells(stages, "ingest") == cells(stages, "split") == sorted(CORPORA)
    assert cells(stages, "regenerate") == named(CORPORA, REGENERATIONS)
    assert cells(stages, "label_gold") == named(gold_sets, ("prompted", "prior"))
    assert cells(stages, "rate_prompt_sets") == ["lima", "mt_bench", "wildbench"]


def test_the_judges_judge_what_the_tables_show(stages: list[str], axes: Axes) -> None:
    assert cells(stages, "judge") == sorted(axes.judges)
    judged = {
        name: (judge.benchmarks, sum(map(judge.judges, axes.models())))
        for name, judge in axes.judges.items()
    }
    assert judged == {
        # Tables 4 and 14: 80 + 30 models and three bases
        "mt_judge": (("mt_bench",), 113),
        # Table 4: 80 models and two bases
        "mt_judge_wildbench": (("wildbench",), 82),
        # Table 16: one base, one corpus, three recipes, five seeds
        "wild_judge": (("wildbench",), 15),
    }


def test_the_figures_that_the_paper_gives_are_in_its_profile() -> None:
    params = read(PAPER)
    assert {params["split"][name] for name in ("negative", "random")} == {20_000}
    assert params["split"]["earlier_turns"] == 0
    assert params["train"]["learning_rate"] == params["train"]["kto_learning_rate"] == 5e-6
    assert params["train"]["lora_rank"] == 0
    assert {params[stage]["model"] for stage in ("label", "regenerate", "rate_prompts")} == {
        "gpt-4o-mini"
    }
    assert {judge["model"] for judge in params["judges"].values()} == {"gpt-4"}
    methods = {name: judge["method"] for name, judge in params["judges"].items()}
    assert methods == {
        "mt_judge": "fastchat",
        "mt_judge_wildbench": "fastchat",
        "wild_judge": "wildbench",
    }


@pytest.mark.pipeline
def test_dvc_draws_the_graph_of_the_paper(tmp_path: Path) -> None:
    dvc = Path(sys.executable).parent / "dvc"
    done = subprocess.run(
        [dvc, "dag", "--dot"], cwd=make_project(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    edges = set(re.findall(r'"([^"]+)" -> "([^"]+)"', done.stdout))
    cell = "qwen1_5_4b-wildchat-neg_semantic-5"
    assert {
        ("fetch_model@qwen1_5_4b", f"train_further@{cell}"),
        ("assemble@wildchat", f"train_further@{cell}"),
        (f"train_further@{cell}", f"answer_further@{cell}"),
        (f"answer_further@{cell}", "judge@mt_judge"),
    } <= edges


@pytest.mark.pipeline
def test_the_plan_prices_the_paper_on_a_clone_without_data(tmp_path: Path) -> None:
    project = Project(tmp_path, {})
    shutil.copy(PAPER, tmp_path / "params.yaml")
    command = "from feedback_lens.commands.plan import plan; plan()"
    done = project.run(sys.executable, "-c", command, "--json", "--hours-per-training", "2")
    assert done.returncode == 0, done.stdout
    plan = json.loads(done.stdout)
    lines = {line["stage"]: line for line in plan["stages"] if line["basis"] == "parameters"}
    calls = {stage: line["at_most"]["calls"] for stage, line in lines.items()}
    turns = {"mt_bench": 80 * 2, "wildbench": 1024}
    assert calls == {
        "label": None,  # the logs are not there
        "label_gold": None,
        "rate_prompt_sets": None,
        # two corpora, three splits, of each the first 1,000
        "score_toxicity": 2 * 3 * 1000,
        "rate_prompts": 2 * 3 * 1000 * 2,  # quality and complexity
        "regenerate": 2 * 3 * 20_000,
        "judge": 113 * turns["mt_bench"] + (82 + 15) * turns["wildbench"],
    }
    assert calls["judge"] == 18_080 + 99_328
    # tokens of planning/lengths.py; gpt-4 at 30 and 60 dollars a million
    prompt, reply = 18_080 * 708 + 99_328 * 1627, 18_080 * 198 + 99_328 * 219
    assert lines["judge"]["estimate"]["prompt_tokens"] == prompt
    assert lines["judge"]["estimate"]["completion_tokens"] == reply
    usd = prompt * 30 / 1e6 + reply * 60 / 1e6
    assert (
        lines["judge"]["estimate"]["usd"] == pytest.approx(usd) == pytest.approx(6752.18, abs=0.01)
    )
    # 80,000 from scratch and 40,000 by the feedback; gpt-4o-mini at 0.15 and 0.60
    usd = (80_000 * 200 + 40_000 * 845) * 0.15 / 1e6 + 120_000 * 311 * 0.60 / 1e6
    assert lines["regenerate"]["estimate"]["usd"] == pytest.approx(usd) == pytest.approx(29.862)
    assert (plan["trainings"], plan["local_answers"]) == (110, 113 * (160 + 1024))
    # what waits for a model to download is not proposed, nor are models to train
    assert plan["run_first"] == ["fit_detector", "ingest"]
    missing = [w.split(" is missing")[0] for w in plan["warnings"] if " is missing" in w]
    raw = ("lmsys", "wildchat", "multiturn_feedback", "lima", "benchmarks")
    assert {f"would stop: data/raw/{name}" for name in raw} <= set(missing)
    assert any("counted as published: mt_bench (160 turns)" in w for w in plan["warnings"])
    assert any("'gpt-4' was shut down" in w for w in plan["warnings"])
