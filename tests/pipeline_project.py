"""A copy of the project in a folder of its own, run by DVC for real."""

import copy
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from dvc.repo import Repo

from feedback_lens.versioning.folders import keep_empty_folders

PROJECT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PARAMS = yaml.safe_load((PROJECT / "params.yaml").read_text())
NO_MODELS: dict[str, list[str]] = {axis: [] for axis in ("bases", "corpora", "recipes", "seeds")}
# enough of the matrix to hold every stage once or twice, trained for a moment
SMALL: dict[str, Any] = {
    "gold_sets": {name: PARAMS["gold_sets"][name] for name in ("lmsys", "sparse")},
    "fit_detector.gold_sets": ["lmsys"],
    "fit_detector.folds": 2,
    "run.detection.detectors": ["local", "prior"],
    "run.models.recipes": ["rand_scratch"],
    "run.models.seeds": [1],
    "run.further_models": {
        "bases": ["tiny"],
        "corpora": ["lmsys"],
        "recipes": ["kto"],
        "seeds": [1],
    },
    "run.regeneration.regenerations": ["rand_scratch", "neg_semantic"],
    "run.evaluation.benchmarks": ["mt_bench"],
    "judges.reference.benchmarks": ["mt_bench"],
    "pair_judges.reference.benchmarks": ["mt_bench"],
    "analyses.rows_per_split": 12,
    "train_reward.pairs.regenerations": ["neg_semantic"],
    "train_reward.settings.epochs": 1,
    "train_reward.settings.max_length": 128,
    "train_reward.settings.folds": 2,
    "score_replies.max_length": 128,
    "train_base.settings.width": 32,
    "train_base.settings.layers": 1,
    "train_base.settings.steps": 15,
    "train.epochs": 1,
    "answer.max_tokens": 16,
    "find_refusals.clusters": 4,
    **{f"{stage}.resamples": 20 for stage in PARAMS if "resamples" in (PARAMS[stage] or ())},
}
# one log read, labeled and analyzed, no model called or trained: 18 stages in a minute
BRIEF: dict[str, Any] = {
    **SMALL,
    "corpora": {"lmsys": PARAMS["corpora"]["lmsys"] | {"detector": "local"}},
    "gold_sets": {"lmsys": PARAMS["gold_sets"]["lmsys"]},
    "prompt_sets": {"mt_bench": PARAMS["prompt_sets"]["mt_bench"]},
    "judges": {},
    "pair_judges": {},
    "run.detection.detectors": ["local"],
    "run.regeneration.regenerations": [],
    "run.models": NO_MODELS,
    "run.further_models": NO_MODELS,
    "run.untrained.bases": [],
    "run.evaluation.benchmarks": [],
    "train_base.names": [],
    "train_reward.names": [],
    "train_reward.pairs.corpora": [],
    "train_reward.pairs.regenerations": [],
}
del BRIEF["judges.reference.benchmarks"], BRIEF["pair_judges.reference.benchmarks"]


def make_environment(folder: Path) -> dict[str, str]:
    """This process's, with the copy's own code, a home beside it, and nobody's keys."""
    home = folder.with_name(f"{folder.name}-home")
    home.mkdir(parents=True, exist_ok=True)
    foreign = ("OPENAI", "FEEDBACK", "XDG_")
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(foreign)},
        "HOME": str(home),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "OMP_NUM_THREADS": "1",
        "FEEDBACK_LENS_OFFLINE": "1",
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }


class Project:
    """A clone-like copy with its own Git, home, DVC cache and response store.

    A shared cache gives it what copies before it made, from the run cache: such stages do not run.
    """

    def __init__(
        self, folder: Path, params: Mapping[str, Any], shared_cache: Path | None = None
    ) -> None:
        self.folder = folder
        self.environment = make_environment(folder)
        self._copy_tracked_files()
        self.set_params(params)
        if shared_cache:
            local = self.folder / ".dvc/config.local"
            local.write_text(f"[cache]\n    dir = {shared_cache}\n")
        self.git("init", "--quiet", "--initial-branch=main")
        with Repo(str(folder)) as repo:
            outs = [out.def_path for stage in repo.index.stages for out in stage.outs]
            keep_empty_folders(folder, outs)
        self.commit("start")

    def clone(self, folder: Path, origin: Path | None = None) -> "Project":
        """A colleague's fresh clone: another machine's home, and a DVC cache of its own."""
        self.git("clone", "--quiet", str(origin or self.folder), str(folder))
        fresh = copy.copy(self)
        fresh.folder, fresh.environment = folder, make_environment(folder)
        return fresh

    def _copy_tracked_files(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            source, target = PROJECT / name, self.folder / name
            # the results of the full sample run are not those of this copy
            result = name == "dvc.lock" or re.match(r"metrics/.+\.json$", name)
            if source.is_symlink():
                target.symlink_to(source.readlink())
            elif source.is_file() and not result:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Set parameters by their dotted names."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        for name, value in params.items():
            *sections, last = name.split(".")
            place = content
            for section in sections:
                place = place[section]
            place[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", *arguments], cwd=self.folder, env=self.environment, check=True, timeout=60
        )

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command; its output is stdout and stderr together."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )

    def repro(self, *arguments: str, **environment: str) -> list[str]:
        """`dvc repro`, which must succeed; the stages that ran, in order."""
        done = self.run("dvc", "repro", *arguments, **environment)
        assert done.returncode == 0, done.stdout[-4000:]
        return stages_run(done.stdout)

    def kill_when(self, ready: Callable[[], bool], *command: str, **environment: str) -> None:
        """Start a command and kill -9 it and all its children when `ready` says so."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 120
            while not ready():
                assert process.poll() is None, "the command ended before it could be killed"
                assert time.monotonic() < deadline, "the moment to kill never came"
                time.sleep(0.05)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def digest(self, *names: str) -> dict[str, str]:
        """SHA-256 of files, and of all files in folders."""
        found: dict[str, str] = {}
        for path in self._files(names):
            relative = str(path.relative_to(self.folder))
            found[relative] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def _files(self, names: Iterable[str]) -> Iterable[Path]:
        for name in names:
            path = self.folder / name
            yield from (
                (p for p in sorted(path.rglob("*")) if p.is_file()) if path.is_dir() else [path]
            )

    def restore(self) -> None:
        """Back to the last commit, with its outs from the cache."""
        self.git("checkout", "--quiet", "--force", "main")
        self.git("clean", "--quiet", "--force", "-d")
        done = self.run("dvc", "checkout", "--quiet", "--force")
        assert done.returncode == 0, done.stdout

    def forget(self, out: str) -> None:
        """Remove an out from the workspace."""
        shutil.rmtree(self.folder / out)

    def stored(self) -> int:
        """Number of responses in the store."""
        path = self.folder / ".feedback-lens/store.sqlite"
        if not path.is_file():
            return 0
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return int(database.execute("SELECT count(*) FROM responses").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the table is not made yet

    def descendants(self, *stages: str) -> set[str]:
        """The stages that depend on these, themselves included, as DVC's own graph says."""
        done = self.run("dvc", "dag", "--dot")
        assert done.returncode == 0, done.stdout
        edges = re.findall(r'"([^"]+)" -> "([^"]+)"', done.stdout)
        found, pending = set(stages), list(stages)
        while pending:
            stage = pending.pop()
            new = {after for before, after in edges if before == stage} - found
            found |= new
            pending += new
        return found


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", output)
