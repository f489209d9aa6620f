"""The documented way to run on other logs: edit parameters, nothing else."""

import json
import random
import shutil
import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from endpoint import environment, serve
from feedback_lens.report.tables.rows import EMPTY
from pipeline_project import BRIEF, NO_MODELS, PARAMS, PROJECT, SMALL, Project

pytestmark = pytest.mark.pipeline
LOGS = Path(__file__).parents[2] / "shared/real/logs"
SLICE = 36
OWN = {
    **SMALL,
    "corpora.lmsys.path": "data/raw/lmsys.jsonl",
    "corpora.wildchat.path": "data/raw/wildchat.parquet",
    "run.models.recipes": ["rand_scratch", "kto"],
    "run.further_models": NO_MODELS,
    "split.negative": 8,
    "split.positive": 8,
    "split.random": 8,
    "run.profile": "own",
}
BY_ENDPOINT = {
    **OWN,
    "run.models.corpora": ["lmsys"],
    "train_reward.pairs.corpora": ["lmsys"],
    "run.assistant": "data/raw",
    "label.model": "role-play",
    "regenerate.model": "role-play",
    "rate_prompts.rater": "llm",
    "rate_prompts.model": "role-play",
    "judges.reference.method": "rating",
    "judges.reference.model": "role-play",
    "pair_judges.reference.method": "pair",
    "pair_judges.reference.model": "role-play",
}
BY_TINY_MODEL = {
    **OWN,
    "run.models.corpora": ["wildchat"],
    "train_reward.pairs.corpora": ["wildchat"],
    "run.assistant": "models/base/tiny",
    "corpora.lmsys.detector": "local",
    "corpora.wildchat.detector": "local",
    "run.detection.detectors": ["local"],
    "run.models.recipes": ["rand_scratch"],  # nobody praises in these logs, so there is no KTO
    # a smaller one seldom ends a reply
    "train_base.settings": {**PARAMS["train_base"]["settings"], "steps": 15},
    "regenerate.max_tokens": 200,
}
BY_RECORDED_REPLIES = {
    **SMALL,
    "corpora": {
        "own": {"path": "data/raw/own.jsonl", "format": "messages", "detector": "prompted"}
    },
    "run.models.corpora": ["own"],
    "run.further_models": NO_MODELS,
    "train_reward.pairs.corpora": ["own"],
}
needs_real_logs = pytest.mark.skipif(not LOGS.is_dir(), reason="real logs, not in Git: ../shared")


def copy_slice(folder: Path) -> None:
    """The first real conversations, as files of the user's own."""
    raw = folder / "data/raw"
    raw.mkdir(parents=True)
    with (LOGS / "lmsys_schema.jsonl").open("rb") as lines:
        (raw / "lmsys.jsonl").write_bytes(b"".join(islice(lines, SLICE)))
    table = pq.read_table(LOGS / "wildchat_schema.parquet")
    pq.write_table(table.slice(0, SLICE), raw / "wildchat.parquet")


def check_results(project: Project) -> None:
    for corpus in ("lmsys", "wildchat"):
        counts = json.loads((project.folder / f"metrics/ingest/{corpus}.json").read_text())
        assert counts["rows"] == SLICE and counts["kept"] > SLICE / 2
    summary = json.loads((project.folder / "metrics/summary.json").read_text())
    assert set(summary) == {"mt_bench"}
    assert (project.folder / "report/index.html").is_file()


def test_a_log_of_ones_own_runs_the_whole_road(tmp_path: Path, shared_cache: Path) -> None:
    """The sample's WildChat log as plain messages: the same requests, so the same replies."""
    project = Project(tmp_path, BY_RECORDED_REPLIES, shared_cache)
    (tmp_path / "data/raw").mkdir()
    with (tmp_path / "data/raw/own.jsonl").open("w") as own:
        for line in (tmp_path / "data/sample/wildchat.jsonl").read_bytes().splitlines():
            row = json.loads(line)
            content = {"id": row["conversation_hash"], "messages": row["conversation"]}
            own.write(
                json.dumps({**content, **{k: row[k] for k in ("language", "redacted")}}) + "\n"
            )
    project.repro()
    counts = json.loads((tmp_path / "metrics/ingest/own.json").read_text())
    assert (counts["rows"], counts["kept"]) == (74, 63)
    assert not (tmp_path / "metrics/ingest/lmsys.json").exists()
    assert "own" in (tmp_path / "report/index.html").read_text()


def list_served(project: Project) -> set[str]:
    """The models that gave the replies in the store."""
    store = project.folder / ".feedback-lens/store.sqlite"
    with closing(sqlite3.connect(store)) as database:
        return {name for (name,) in database.execute("SELECT served_model FROM responses")}


DIALOGUES, TURNS = 1000, 20
ANALYSES = ("count_feedback", "split", "score_toxicity", "find_refusals", "rate_prompts")


def write_long_dialogues(path: Path, sample: Path) -> None:
    """Dialogues of the length that is wanted, of the sample's exchanges drawn by lot."""
    draw = random.Random(1)
    exchanges = [
        row["conversation"][place : place + 2]
        for line in sample.read_bytes().split(b"\n")
        if line and (row := json.loads(line))
        for place in range(0, len(row.get("conversation") or ()) - 1, 2)
        if row["conversation"][place].get("role") == "user"
        and row["conversation"][place]["content"].strip()
        and row["conversation"][place + 1].get("role") == "assistant"
    ]
    with path.open("w", encoding="utf-8") as own:
        for number in range(DIALOGUES):
            messages = [message for pair in draw.choices(exchanges, k=TURNS) for message in pair]
            messages[0] = {"role": "user", "content": f"{number}: {messages[0]['content']}"}
            messages = [{"role": m["role"], "content": m["content"]} for m in messages]
            own.write(json.dumps({"id": f"d{number}", "messages": messages}) + "\n")


def test_one_entry_more_reads_labels_and_analyzes_a_log(tmp_path: Path, shared_cache: Path) -> None:
    own = {"path": "data/raw/own.jsonl", "format": "messages", "detector": "local"}
    project = Project(tmp_path, {**SMALL, "corpora.own": own}, shared_cache)
    (tmp_path / "data/raw").mkdir()
    write_long_dialogues(tmp_path / "data/raw/own.jsonl", tmp_path / "data/sample/wildchat.jsonl")
    ran = project.repro(*(f"{stage}@own" for stage in ANALYSES))
    assert {f"{stage}@own" for stage in ("ingest", "label", *ANALYSES)} <= set(ran)
    counts = json.loads((tmp_path / "metrics/count_feedback/own.json").read_text())
    # each of the 20 turns but the first is labeled
    assert counts["turns"] == DIALOGUES * (TURNS - 1) and counts["unlabeled"] == 0
    drawn = json.loads((tmp_path / "metrics/split/own.json").read_text())
    assert drawn["neg"]["rows"] == drawn["rand"]["rows"] == 24


@needs_real_logs
def test_real_logs_run_the_whole_road_by_an_endpoint(tmp_path: Path, shared_cache: Path) -> None:
    project = Project(tmp_path, BY_ENDPOINT, shared_cache)
    copy_slice(tmp_path)
    with serve() as server:
        project.repro(**environment(server, tmp_path / ".feedback-lens"))
        assert set(server.answered.values()) == {1}
    check_results(project)
    labels = json.loads((tmp_path / "data/labels/lmsys.json").read_text())
    assert labels["answered"] > 0 and labels["unreadable"] == 0


@needs_real_logs
def test_real_logs_run_the_whole_road_by_a_tiny_local_model(
    tmp_path: Path, shared_cache: Path
) -> None:
    project = Project(tmp_path, BY_TINY_MODEL, shared_cache)
    copy_slice(tmp_path)
    project.repro()
    check_results(project)
    replies = json.loads((tmp_path / "data/replies/wildchat/rand_scratch.json").read_text())
    assert replies["model"].startswith("local:tiny@")


def test_the_profile_of_ones_own_runs_whole_without_a_model(
    tmp_path: Path, shared_cache: Path
) -> None:
    project = Project(tmp_path, {}, shared_cache)
    switched = project.run("feedback-lens", "profile", "own", "--use")
    assert switched.returncode == 0, switched.stdout
    # the values that only make it slow, as other tests have them, and the rest as it is
    same = {name: BRIEF[name] for name in ("gold_sets", "fit_detector.gold_sets")}
    same |= {name: BRIEF[name] for name in BRIEF if name.endswith("resamples")}
    project.set_params(same | {"find_refusals.clusters": 4})
    (tmp_path / "data/raw").mkdir()
    with (tmp_path / "data/raw/own.jsonl").open("w") as own:
        for line in (tmp_path / "data/sample/wildchat.jsonl").read_bytes().splitlines()[:30]:
            row = json.loads(line)
            messages = {"id": row["conversation_hash"], "messages": row["conversation"]}
            own.write(json.dumps(messages) + "\n")
    # what the sample left here is none of this run
    metrics = tmp_path / "metrics/train_reward/tiny.json"
    metrics.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "metrics/train_reward/tiny.json", metrics)
    project.repro()
    assert project.repro() == []
    assert {name.partition("@")[0] for name in list_served(project)} == {"local:minilm_toxicity"}
    counts = json.loads((tmp_path / "metrics/ingest/own.json").read_text())
    assert counts["rows"] == 30 and counts["kept"] > 15
    page = (tmp_path / "report/index.html").read_text()
    assert "Profile own" in page and EMPTY in page and "held-out accuracy" not in page
