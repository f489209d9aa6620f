"""What a storage that breaks off, a kill, a full disk and damaged objects leave behind.

Three files in a DVC project of their own: shown is DVC as docs/trouble.md sets it.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broken_wire import BrokenWire, break_wire
from pipeline_project import BIN, PROJECT
from storages import S3_KEYS, s3_client, serve_s3

pytestmark = [pytest.mark.pipeline, pytest.mark.remote]

CONTENTS = {f"{number}.bin": bytes([number]) * 300_000 for number in range(3)}
OBJECTS = len(CONTENTS) + 1  # the list of the folder's files is one too
HALF = 450_000  # bytes
DAMAGED = hashlib.md5(CONTENTS["1.bin"]).hexdigest()
CAN_MOUNT = subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


class Folder:
    """A DVC project with one folder of files, with the settings of this one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cache = path / ".dvc/cache/files/md5"
        # as docs/trouble.md says; by itself it is tried for most of a minute a file
        environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "AWS_MAX_ATTEMPTS": "1"}
        self.environment = os.environ | S3_KEYS | environment
        (path / ".dvc").mkdir(parents=True)
        shutil.copy(PROJECT / ".dvc/config", path / ".dvc/config")

    def clone(self, path: Path) -> "Folder":
        """The same with no data and nothing in its cache."""
        other = Folder(path)
        for name in ("big.dvc", ".dvc/config.local"):
            shutil.copy(self.path / name, path / name)
        return other

    def use(self, url: str, endpoint: str | None = None) -> None:
        """Point the default remote there."""
        lines = [
            "[core]",
            "no_scm = true",
            "['remote \"storage\"']",
            f"url = {url}",
        ]
        lines += [f"endpointurl = {endpoint}"] if endpoint else []
        (self.path / ".dvc/config.local").write_text("\n".join(lines) + "\n")

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("dvc", *arguments)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    def kill_at_end_of(self, wire: BrokenWire, *arguments: str) -> None:
        """Kill -9 DVC once the wire passes nothing more."""
        with subprocess.Popen(
            ["dvc", *arguments],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while not wire.is_spent:
                assert process.poll() is None, "it ended before it could be killed"
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)

    def objects(self) -> dict[str, int]:
        """The time of writing of each object in the cache, all of which are whole."""
        found = [path for path in self.cache.rglob("*") if path.is_file() and path.suffix != ".tmp"]
        assert all(is_named(path, path.read_bytes()) for path in found)
        root = self.cache.parents[1]
        return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in found}

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.path.glob("big/*")}


class Bucket:
    """A bucket that keeps all versions of an object, so that each upload counts."""

    def __init__(self, name: str, address: str) -> None:
        self.url, self.address, self._name = f"s3://{name}", address, name
        self._client = s3_client(address)
        status = {"Status": "Enabled"}
        self._client.put_bucket_versioning(Bucket=name, VersioningConfiguration=status)

    def uploads(self) -> set[tuple[str, str]]:
        """Key and version of whatever was put there."""
        found = self._client.list_object_versions(Bucket=self._name).get("Versions", [])
        return {(item["Key"], item["VersionId"]) for item in found}

    def objects(self) -> set[str]:
        return {key for key, _ in self.uploads()}

    def is_whole(self) -> bool:
        """Whether every object is what its name says."""
        return all(is_named(key, self._read(key)) for key in self.objects())

    def _read(self, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=self._name, Key=key)["Body"].read())

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=content)


def is_named(path: str | Path, content: bytes) -> bool:
    """Whether an object has the MD5 by which it is called."""
    name = "".join(Path(path).parts[-2:]).removesuffix(".dir")
    return hashlib.md5(content).hexdigest() == name


def place_of(md5: str) -> str:
    return f"files/md5/{md5[:2]}/{md5[2:]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The files added, and pushed to a folder beside it."""
    made = Folder(tmp_path_factory.mktemp("faults") / "origin")
    made.use(str(made.path.with_name("storage")))
    (made.path / "big").mkdir()
    for name, content in CONTENTS.items():
        (made.path / "big" / name).write_bytes(content)
    assert made.dvc("add", "--quiet", "big").returncode == 0
    assert made.dvc("push").returncode == 0
    return made


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    name = f"faults-{os.urandom(4).hex()}"
    with serve_s3(name) as server:
        yield Bucket(name, server.settings["endpointurl"])


@pytest.fixture
def storage(folder: Folder, tmp_path: Path) -> Path:
    """A copy of the folder that was pushed to."""
    return Path(shutil.copytree(folder.path.with_name("storage"), tmp_path / "storage"))


def test_a_remote_folder_that_cannot_be_made_is_named(folder: Folder, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, where the folder should be")
    folder.use(str(blocked / "storage"))
    done = folder.dvc("push")
    assert done.returncode and str(blocked) in done.stdout
    assert "Traceback" not in done.stdout


def test_a_push_that_breaks_off_goes_on_with_the_rest(folder: Folder, bucket: Bucket) -> None:
    with break_wire(bucket.address, HALF) as wire:
        folder.use(bucket.url, wire.address)
        done = folder.dvc("push", "--jobs", "1")
    assert done.returncode and "Traceback" not in done.stdout
    assert "failed to transfer" in done.stdout
    # an upload that had begun, or one that had not
    assert re.search("Connection was closed|Could not connect", done.stdout)
    check_the_rest_is_pushed(folder, bucket)


def test_a_push_that_is_killed_goes_on_with_the_rest(folder: Folder, bucket: Bucket) -> None:
    with break_wire(bucket.address, HALF, hangs=True) as wire:
        folder.use(bucket.url, wire.address)
        folder.kill_at_end_of(wire, "push", "--jobs", "1")
    check_the_rest_is_pushed(folder, bucket)


def check_the_rest_is_pushed(folder: Folder, bucket: Bucket) -> None:
    before = bucket.uploads()
    assert before and bucket.is_whole()
    assert not any(key.endswith(".dir") for key in bucket.objects())  # else all counts as there
    folder.use(bucket.url, bucket.address)
    assert folder.dvc("push").returncode == 0
    added = bucket.uploads() - before
    assert len(added) == OBJECTS - len(before) and bucket.is_whole()
    assert len(bucket.objects()) == OBJECTS


def test_a_pull_that_breaks_off_goes_on_with_the_rest(
    folder: Folder, bucket: Bucket, tmp_path: Path
) -> None:
    clone = push_and_clone(folder, bucket, tmp_path)
    with break_wire(bucket.address, HALF) as wire:
        clone.use(bucket.url, wire.address)
        done = clone.dvc("pull", "--jobs", "1")
    assert done.returncode and "Traceback" not in done.stdout
    assert "failed to transfer" in done.stdout
    # an upload that had begun, or one that had not
    assert re.search("Connection was closed|Could not connect", done.stdout)
    check_the_rest_is_pulled(clone, bucket)


def test_a_pull_that_is_killed_goes_on_with_the_rest(
    folder: Folder, bucket: Bucket, tmp_path: Path
) -> None:
    clone = push_and_clone(folder, bucket, tmp_path)
    with break_wire(bucket.address, HALF, hangs=True) as wire:
        clone.use(bucket.url, wire.address)
        clone.kill_at_end_of(wire, "pull", "--jobs", "1")
    check_the_rest_is_pulled(clone, bucket)


def push_and_clone(folder: Folder, bucket: Bucket, tmp_path: Path) -> Folder:
    """A clone that has pulled nothing of what is in the bucket."""
    for path in folder.cache.rglob("*"):
        if path.is_file():
            bucket.put(str(path.relative_to(folder.cache.parents[1])), path.read_bytes())
    return folder.clone(tmp_path / "clone")


def check_the_rest_is_pulled(clone: Folder, bucket: Bucket) -> None:
    assert clone.files() == {}
    before = clone.objects()
    assert 0 < len(before) < OBJECTS
    clone.use(bucket.url, bucket.address)
    done = clone.dvc("pull")
    assert done.returncode == 0 and clone.files() == CONTENTS
    assert f"{OBJECTS - len(before)} files fetched" in done.stdout, done.stdout
    assert before.items() <= clone.objects().items()  # none was fetched again


@pytest.mark.skipif(not CAN_MOUNT, reason="no user namespaces here: no small disk can be mounted")
@pytest.mark.parametrize(
    ("size", "message"),
    [("700k", "No space left on device"), ("1300k", "Is your cache up to date?")],
    ids=["cache", "workspace"],
)
def test_a_pull_onto_a_full_disk_goes_on_once_there_is_room(
    folder: Folder, storage: Path, tmp_path: Path, size: str, message: str
) -> None:
    folder.use(str(storage))
    clone = folder.clone(tmp_path / "clone")
    disk = f"mkdir disk; mount -t tmpfs -o size={size} none disk; cp -r .dvc big.dvc disk; cd disk"
    pulls = "dvc pull && echo pulled; mount -o remount,size=9m $PWD; echo room; dvc pull"
    done = clone.run("unshare", "-rm", "sh", "-c", f"{disk}; {pulls}; cp -r big ..")
    full, after = done.stdout.split("room\n")
    assert message in full and "pulled" not in full and "Traceback" not in full, full
    assert "ERROR" not in after and clone.files() == CONTENTS


def test_a_damaged_object_of_a_folder_is_not_handed_out_and_can_be_mended(
    folder: Folder, storage: Path, tmp_path: Path
) -> None:
    damaged = storage / place_of(DAMAGED)
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:100])
    damaged.chmod(0o444)
    folder.use(str(storage))
    clone = folder.clone(tmp_path / "clone")
    check_nothing_is_handed_out(clone)
    # the object goes, and the lists that hold it: DVC takes what a list names as there
    damaged.unlink()
    for listing in storage.rglob("*.dir"):
        assert DAMAGED in listing.read_text()
        listing.unlink()
    assert "2 files pushed" in folder.dvc("push").stdout
    assert clone.dvc("pull").returncode == 0 and clone.files() == CONTENTS


def test_a_damaged_object_of_a_bucket_is_not_handed_out(
    folder: Folder, bucket: Bucket, tmp_path: Path
) -> None:
    clone = push_and_clone(folder, bucket, tmp_path)
    bucket.put(place_of(DAMAGED), CONTENTS["1.bin"][:100])
    clone.use(bucket.url, bucket.address)
    check_nothing_is_handed_out(clone)


def check_nothing_is_handed_out(clone: Folder) -> None:
    done = clone.dvc("pull")
    assert done.returncode and "Checkout failed" in done.stdout, done.stdout
    assert clone.files() == {} and place_of(DAMAGED) not in clone.objects()
