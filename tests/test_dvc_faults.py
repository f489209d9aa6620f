"""What a full disk, a second `dvc repro`, a kill and a damaged cache leave behind."""

import hashlib
import signal
import subprocess

import pytest

from pipeline_project import BRIEF, Project

pytestmark = pytest.mark.pipeline

STAGES = ("ingest@lmsys", "read_gold@lmsys")
CAN_MOUNT = subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The first two stages, reproduced."""
    project = Project(tmp_path_factory.mktemp("project"), BRIEF)
    project.repro(*STAGES)
    project.commit("reproduce")
    return project


@pytest.mark.skipif(not CAN_MOUNT, reason="no user namespaces here: no small disk can be mounted")
def test_a_full_disk_is_said_and_the_next_run_goes_on(project: Project) -> None:
    before = (project.folder / "dvc.lock").read_text()
    made = project.digest("data/conversations")
    fill = "mount -t tmpfs -o size=4k none data/conversations && "
    fill += "head -c 100000 /dev/zero > data/conversations/full; "
    fill += "dvc repro --force --single-item ingest@lmsys"
    done = project.run("unshare", "-rm", "sh", "-c", fill)
    assert "data/conversations/lmsys.parquet: cannot be written" in done.stdout, done.stdout
    assert "the disk is full; make room" in done.stdout
    assert done.returncode and "Traceback" not in done.stdout
    assert (project.folder / "dvc.lock").read_text() == before
    project.repro(*STAGES)
    assert project.digest("data/conversations") == made


@pytest.mark.skipif(not CAN_MOUNT, reason="no user namespaces here: no small disk can be mounted")
def test_a_store_on_a_full_disk_says_so(project: Project) -> None:
    full = "mkdir -p full && mount -t tmpfs -o size=4k none full && "
    full += "head -c 100000 /dev/zero > full/rest; feedback-lens store unpack data/recorded"
    done = project.run("unshare", "-rm", "sh", "-c", full, FEEDBACK_LENS_STORE="full/store.sqlite")
    assert "the response store cannot be used" in done.stdout, done.stdout
    assert "look for a full disk" in done.stdout and "Traceback" not in done.stdout


def test_a_second_repro_of_the_same_stage_is_refused_and_the_first_ends(project: Project) -> None:
    command = ("dvc", "repro", "--force", "--single-item", "ingest@lmsys")
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as first:
        assert first.stdout is not None
        while not first.stdout.readline().startswith("Running stage"):
            pass
        first.send_signal(signal.SIGSTOP)  # so that it does not end before the second begins
        second = project.run(*command)
        first.send_signal(signal.SIGCONT)
        first.stdout.read()
    assert first.returncode == 0
    assert second.returncode and f"(PID {first.pid})" in second.stdout, second.stdout
    assert project.repro(*STAGES) == []


def test_after_a_kill_the_next_repro_goes_on(project: Project) -> None:
    out = project.folder / "data/conversations/lmsys.parquet"
    project.kill_when(
        lambda: not out.exists(), "dvc", "repro", "--force", "--single-item", "ingest@lmsys"
    )
    assert project.repro(*STAGES) in ([], ["ingest@lmsys"])
    assert out.is_file()


def test_a_damaged_object_of_the_cache_is_named_and_made_again(project: Project) -> None:
    name = "data/conversations/lmsys.parquet"
    table = project.folder / name
    whole = table.read_bytes()
    md5 = hashlib.md5(whole).hexdigest()
    cached = project.folder / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}"
    cached.chmod(0o644)
    cached.write_bytes(whole[:100])
    cached.chmod(0o444)
    table.unlink()
    done = project.run("dvc", "checkout", name)
    assert not done.returncode and table.stat().st_size == 100  # DVC trusts what is read-only
    told = project.run("feedback-lens", "lineage", name)
    assert told.returncode and "are not in any dvc.lock" in told.stdout, told.stdout
    project.run("chmod", "-R", "u+w", ".dvc/cache/files")
    assert f"not in cache:       {name}" in project.run("dvc", "status", "ingest@lmsys").stdout
    assert not cached.exists()
    assert project.repro(*STAGES) == ["ingest@lmsys"]
    assert table.read_bytes() == whole
