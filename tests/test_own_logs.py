"""The documented way to run on other logs: edit parameters, nothing else."""

import json
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from endpoint import environment, serve
from pipeline_project import SMALL, Project

pytestmark = pytest.mark.pipeline
REAL_LOGS = Path(__file__).parents[2] / "shared/real/logs"
SLICE = 36
OWN = {
    **SMALL,
    "corpora.lmsys.path": "data/raw/lmsys.jsonl",
    "corpora.wildchat.path": "data/raw/wildchat.parquet",
    "run.gold.gold_sets": [],
    "run.models.recipes": ["rand_scratch", "kto"],
    "split.negative": 8,
    "split.positive": 8,
    "split.random": 8,
    "run.profile": "own",
}
BY_ENDPOINT = {
    **OWN,
    "run.assistant": "data/raw",
    "label.model": "role-play",
    "regenerate.model": "role-play",
    "rate_prompts.rater": "llm",
    "rate_prompts.model": "role-play",
    "run.judging.judges": ["llm"],
    "judge.model": "role-play",
}
BY_TINY_MODEL = {
    **OWN,
    "run.assistant": "models/base/tiny",
    "run.detector": "local",
    "run.detection.detectors": ["local"],
    "run.models.recipes": ["rand_scratch"],  # nobody praises in these logs, so there is no KTO
    "regenerate.max_tokens": 200,
}
BY_RECORDED_REPLIES = {
    **SMALL,
    "corpora": {"own": {"path": "data/raw/own.jsonl", "format": "messages"}},
    "run.gold.gold_sets": [],
    "run.models.corpora": ["own"],
    "train_reward.pairs.corpora": ["own"],
}
needs_real_logs = pytest.mark.skipif(
    not REAL_LOGS.is_dir(), reason=f"the real logs are not here: {REAL_LOGS}"
)


def copy_slice(folder: Path) -> None:
    """The first real conversations, as files of the user's own."""
    raw = folder / "data/raw"
    raw.mkdir(parents=True)
    with (REAL_LOGS / "lmsys_schema.jsonl").open("rb") as lines:
        (raw / "lmsys.jsonl").write_bytes(b"".join(islice(lines, SLICE)))
    table = pq.read_table(REAL_LOGS / "wildchat_schema.parquet")
    pq.write_table(table.slice(0, SLICE), raw / "wildchat.parquet")


def check_results(project: Project) -> None:
    for corpus in ("lmsys", "wildchat"):
        counts = json.loads((project.folder / f"metrics/ingest/{corpus}.json").read_text())
        assert counts["rows"] == SLICE and counts["kept"] > SLICE / 2
    summary = json.loads((project.folder / "metrics/summary.json").read_text())
    assert set(summary) == {"mt_bench"}
    assert (project.folder / "report/index.html").is_file()


def test_a_log_of_ones_own_runs_the_whole_road(tmp_path: Path) -> None:
    """The sample's WildChat log as plain messages: the same requests, so the same replies."""
    project = Project(tmp_path, BY_RECORDED_REPLIES)
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


@needs_real_logs
def test_real_logs_run_the_whole_road_by_an_endpoint(tmp_path: Path) -> None:
    project = Project(tmp_path, BY_ENDPOINT)
    copy_slice(tmp_path)
    with serve() as server:
        project.repro(**environment(server, tmp_path / ".feedback-lens"))
        assert set(server.answered.values()) == {1}
    check_results(project)
    labels = json.loads((tmp_path / "data/labels/lmsys/prompted.json").read_text())
    assert labels["answered"] > 0 and labels["unreadable"] == 0


@needs_real_logs
def test_real_logs_run_the_whole_road_by_a_tiny_local_model(tmp_path: Path) -> None:
    project = Project(tmp_path, BY_TINY_MODEL)
    copy_slice(tmp_path)
    project.repro()
    check_results(project)
    replies = json.loads((tmp_path / "data/replies/lmsys/rand_scratch.json").read_text())
    assert replies["model"].startswith("local:tiny@")
