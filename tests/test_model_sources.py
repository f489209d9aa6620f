import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save, save_file

from chat_tokenizers import build_mistral, build_qwen
from feedback_lens.calls.models import hash_model, load_tokenizer
from feedback_lens.errors import InputError
from feedback_lens.stages.fetch_model import main
from feedback_lens.training.hub import choose_files
from feedback_lens.training.model_sources import fetch_model
from feedback_lens.training.pickled_weights import convert_pickled_weights
from hub_server import COMMIT, LARGE, serve

MODEL_FILES = {
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mistral(tmp_path_factory.mktemp("base") / "mistral")


@pytest.fixture(scope="module")
def files(base: Path) -> dict[str, bytes]:
    """The base as a repository of the hub, with files that a model does not need."""
    content = {path.name: path.read_bytes() for path in base.iterdir()}
    assert len(content["model.safetensors"]) >= LARGE
    unwanted = ("README.md", "consolidated.safetensors", "original/model.safetensors", "run.py")
    return content | dict.fromkeys(unwanted, b"not wanted")


def start(server, workspace: Path, revision: str = COMMIT, **environment: str):
    """The stage in a process of its own, with the hub's client pointed at the server."""
    settings = {"HF_ENDPOINT": server.url, "HF_HOME": str(workspace / "home")}
    settings |= {"DVC_ROOT": str(workspace), "HF_HUB_DISABLE_TELEMETRY": "1"}
    inherited = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    options = f"--revision {revision} --chat_template mistral --model {workspace / 'model'}"
    command = [sys.executable, "-m", "feedback_lens.stages.fetch_model", "--source", "owner/name"]
    return subprocess.Popen(
        [*command, *options.split()],
        env=inherited | settings | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(server, workspace: Path, revision: str = COMMIT, **environment: str) -> tuple[int, str]:
    process = start(server, workspace, revision, **environment)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def whole_fetches(server) -> list[str]:
    return sorted(name for name, start, _ in server.fetched if start == 0)


def test_what_decides_a_model_is_fetched_with_its_hashes(files, base, tmp_path):
    with serve(files) as server:
        code, errors = run(server, tmp_path, HF_TOKEN="hf_secret")
    assert code == 0, errors
    model = tmp_path / "model"
    assert {path.name for path in model.iterdir()} == MODEL_FILES | {"card.json"}
    card = json.loads((model / "card.json").read_text())
    assert (card["source"], card["revision"], card["commit"]) == ("owner/name", COMMIT, COMMIT)
    assert card["chat_template"] == "mistral"
    weights = files["model.safetensors"]
    assert card["files"]["model.safetensors"] == {
        "bytes": len(weights),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    assert (model / "model.safetensors").read_bytes() == weights
    assert {token for _, _, token in server.fetched} == {"Bearer hf_secret"}
    assert "hf_secret" not in (model / "card.json").read_text() + errors
    assert list((tmp_path / ".feedback-lens" / "downloads").iterdir()) == []


def test_a_connection_that_breaks_goes_on_where_it_was(files, tmp_path):
    # of a size that is cut behind the first 10 MiB, the piece in which the client writes
    weights = save({"a": torch.arange(6 * 2**20)})  # 48 MiB
    with serve(files | {"model.safetensors": weights}, "cut") as server:
        code, errors = run(server, tmp_path)
        starts = [start for name, start, _ in server.fetched if name == "model.safetensors"]
    assert code == 0, errors
    first, second = starts
    assert first == 0 < second <= len(weights) // 2
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == weights


def test_a_killed_download_keeps_what_had_come_whole_and_leaves_no_half_model(files, tmp_path):
    with serve(files, "stall") as server:
        process = start(server, tmp_path)
        assert server.stalled.wait(60)
        while not list(tmp_path.glob(".feedback-lens/downloads/*/config.json")):
            time.sleep(0.01)
        process.kill()
        process.communicate()
        assert not (tmp_path / "model").exists()
        server.go_on.set()
        server.fault = None
        server.fetched.clear()
        code, errors = run(server, tmp_path)
    assert code == 0, errors
    assert "config.json" not in whole_fetches(server)
    assert "model.safetensors" in whole_fetches(server)
    assert {path.name for path in (tmp_path / "model").iterdir()} == MODEL_FILES | {"card.json"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("gated", "access is given on request; ask for it on the model's page, then set HF_TOKEN"),
        (
            "private",
            "no such folder, and no model of the hub that may be read; correct `source`, or",
        ),
        (
            "unknown",
            "no such folder, and no model of the hub that may be read; correct `source`, or",
        ),
        ("spoiled", "model.safetensors came with other bytes than the hub announces; run it again"),
    ],
)
def test_what_the_hub_refuses_is_said_with_the_mend(files, tmp_path, fault, message):
    with serve(files, fault) as server:
        code, errors = run(server, tmp_path)
    assert (code, errors.count("Traceback")) == (1, 0)
    assert f"Error: owner/name: {message}" in errors
    assert not (tmp_path / "model").exists()


def test_a_file_of_another_size_than_announced_is_refused(files, tmp_path):
    with serve(files, "short") as server:
        code, errors = run(server, tmp_path)
    assert (code, errors.count("Traceback")) == (1, 0)
    assert "the download broke off" in errors
    assert "run it again" in errors
    assert not (tmp_path / "model").exists()


def test_a_spoiled_file_is_fetched_anew(files, tmp_path):
    with serve(files, "spoiled") as server:
        assert run(server, tmp_path)[0] == 1
        server.fault = None
        server.fetched.clear()
        code, errors = run(server, tmp_path)
    assert code == 0, errors
    assert whole_fetches(server) == ["model.safetensors"]


def test_offline_and_without_a_network_the_mend_is_named(files, tmp_path):
    with serve(files) as server:
        code, errors = run(server, tmp_path, HF_HUB_OFFLINE="1")
    assert code == 1
    assert "HF_HUB_OFFLINE is set; unset it, or name a folder" in errors
    code, errors = run(server, tmp_path)  # nobody listens there any more
    assert (code, errors.count("Traceback")) == (1, 0)
    assert "the download broke off" in errors


def test_a_branch_is_fetched_and_the_commit_to_pin_is_named(files, tmp_path):
    with serve(files) as server:
        code, errors = run(server, tmp_path, revision="main")
        assert code == 0, errors
        assert f"pin revision: {COMMIT}" in errors
        code, errors = run(server, tmp_path, revision="v9")
    assert code == 1
    assert "owner/name: no revision v9; correct `revision`" in errors
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert (card["revision"], card["commit"]) == ("main", COMMIT)


def test_a_folder_is_copied_and_named_by_its_content(base, tmp_path):
    (tmp_path / "linked").mkdir()
    for path in base.iterdir():  # as the hub's own cache holds a snapshot
        (tmp_path / "linked" / path.name).symlink_to(path)
    (tmp_path / "linked" / "optimizer.pt").write_bytes(b"not wanted")
    model = tmp_path / "model"
    card = fetch_model(str(tmp_path / "linked"), None, "mistral", model)
    assert {path.name for path in model.iterdir()} == MODEL_FILES | {"card.json"}
    assert not any(path.is_symlink() for path in model.iterdir())
    assert (model / "model.safetensors").stat().st_nlink == 1
    assert card["commit"] is None
    assert card == json.loads((model / "card.json").read_text())
    named = hash_model(model)
    fetch_model(str(tmp_path / "linked"), None, "mistral", model)
    assert hash_model(model) == named


def test_a_folder_has_no_revision(base, tmp_path):
    with pytest.raises(InputError, match="a folder has no revision 'abc'; set `revision` to null"):
        fetch_model(str(base), "abc", "mistral", tmp_path / "model")
    assert not (tmp_path / "model").exists()
    for word in ("null", "None"):  # by hand, and as DVC passes it
        options = {"source": base, "revision": word, "chat_template": "mistral"}
        line = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        command = [*line, "--model", str(tmp_path / "model")]
        assert CliRunner().invoke(main, command, catch_exceptions=False).exit_code == 0
        assert json.loads((tmp_path / "model" / "card.json").read_text())["revision"] is None


def test_the_named_template_is_taken_before_the_model_s_own(base, tmp_path):
    source = shutil.copytree(base, tmp_path / "source")
    (source / "chat_template.jinja").write_text("its own")
    settings = json.loads((source / "tokenizer_config.json").read_text())
    (source / "tokenizer_config.json").write_text(
        json.dumps({**settings, "chat_template": "its own"})
    )
    fetch_model(str(source), None, "own", tmp_path / "own")
    assert load_tokenizer(tmp_path / "own").chat_template == "its own"
    fetch_model(str(source), None, "mistral", tmp_path / "named")
    assert "[INST]" in load_tokenizer(tmp_path / "named").chat_template
    assert (source / "chat_template.jinja").read_text() == "its own"


def test_a_template_must_suit_the_tokenizer(base, tmp_path):
    with pytest.raises(
        InputError, match="no chat template of its own; set chat_template to one of"
    ):
        fetch_model(str(base), None, "own", tmp_path / "model")
    with pytest.raises(
        InputError, match=r"chat_template chatml: the tokenizer has no token <\|im_"
    ):
        fetch_model(str(base), None, "chatml", tmp_path / "model")
    qwen = build_qwen(tmp_path / "qwen")
    with pytest.raises(InputError, match="chat_template vicuna: the tokenizer has no token </s>"):
        fetch_model(str(qwen), None, "vicuna", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "names", [["config.json"], ["config.json", "adapter_model.safetensors"], ["model.safetensors"]]
)
def test_half_a_model_is_refused(names):
    with pytest.raises(InputError, match="no whole model"):
        choose_files(names, "here")


def test_pickled_weights_are_taken_only_where_there_are_no_others():
    both = ["config.json", "model.safetensors", "pytorch_model.bin"]
    assert choose_files(both, "here") == ["config.json", "model.safetensors"]
    parts = ["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"]
    assert choose_files(["config.json", *parts], "here") == ["config.json", *parts]


def test_pickled_weights_become_safetensors_of_the_same_tensors(base, tmp_path):
    weights = load_file(base / "model.safetensors")
    names = sorted(weights)
    parts = {"00001": names[:3], "00002": names[3:]}
    source = tmp_path / "pickled"
    source.mkdir()
    for path in base.iterdir():
        if path.name != "model.safetensors":
            (source / path.name).write_bytes(path.read_bytes())
    for number, members in parts.items():
        file = source / f"pytorch_model-{number}-of-00002.bin"
        torch.save({name: weights[name] for name in members}, file)
    index = {n: f"pytorch_model-{number}-of-00002.bin" for number, m in parts.items() for n in m}
    (source / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": index})
    )
    fetch_model(str(source), None, "mistral", tmp_path / "model")
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert not list((tmp_path / "model").glob("*.bin*"))
    assert all(torch.equal(model.state_dict()[name], weights[name]) for name in names)


def test_one_tensor_under_two_names_is_converted(tmp_path):
    shared = torch.arange(4.0)
    torch.save({"a": shared, "b": shared, "c": shared.view(2, 2).T}, tmp_path / "pytorch_model.bin")
    convert_pickled_weights(tmp_path, "owner/name")
    found = load_file(tmp_path / "model.safetensors")
    assert {name: value.tolist() for name, value in found.items()} == {
        "a": [0, 1, 2, 3],
        "b": [0, 1, 2, 3],
        "c": [[0, 2], [1, 3]],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_pickle_that_would_run_code_is_not_read(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Hostile()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin cannot .*Weights only load failed"):
        convert_pickled_weights(tmp_path, "owner/name")
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_of_an_early_pytorch_are_converted(tmp_path):
    file = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.arange(3.0)}, file, _use_new_zipfile_serialization=False)
    convert_pickled_weights(tmp_path, "owner/name")
    assert load_file(tmp_path / "model.safetensors")["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 and then it ends"])
def test_a_file_that_holds_no_weights_is_named(tmp_path, content):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"here: pytorch_model\.bin cannot be read as weights"):
        convert_pickled_weights(tmp_path, "here")


def test_a_pickle_of_more_than_weights_is_refused(tmp_path):
    torch.save({"step": 1, "model": {"a": torch.zeros(1)}}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="holds more than named weights"):
        convert_pickled_weights(tmp_path, "here")


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "tokenizer.json"])
def test_a_clone_without_its_large_files_is_refused_with_the_mend(base, tmp_path, name):
    source = shutil.copytree(base, tmp_path / "source")
    if name == "pytorch_model.bin":
        (source / "model.safetensors").unlink()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    (source / name).write_text(pointer)
    with pytest.raises(InputError, match=f"{name} is a pointer of Git LFS.*`git lfs pull`"):
        fetch_model(str(source), None, "mistral", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ('{"weight_map": {"a": "model.safetensors"}}', None),
        (
            '{"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}',
            "names model-00002-of-00002.safetensors, not there; copy the model whole",
        ),
        ('{"weight_map": 1}', "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_a_model_that_lacks_a_part_of_its_weights_is_refused(base, tmp_path, index, message):
    source = shutil.copytree(base, tmp_path / "source")
    (source / "model.safetensors.index.json").write_text(index)
    if message is None:
        fetch_model(str(source), None, "mistral", tmp_path / "model")
        return
    with pytest.raises(InputError, match=message):
        fetch_model(str(source), None, "mistral", tmp_path / "model")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no/such/folder", "no such folder, and a model of the hub is named `owner/name`"),
        ("/no", "no such folder, and a model of the hub is named `owner/name`"),
        ("models/bse", "no such folder; correct `source`, or, for a model of the hub, set `rev"),
    ],
)
def test_a_mistyped_folder_is_named_as_one(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{source}: {message}"):
        fetch_model(source, None, "own", tmp_path / "model")


def test_a_sentencepiece_tokenizer_without_its_library_is_named(base, tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    save_file({"a": torch.zeros(1)}, source / "model.safetensors", {"format": "pt"})
    (source / "config.json").write_text((base / "config.json").read_text())
    (source / "tokenizer.model").write_bytes(b"not one")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(InputError, match=r"to read tokenizer\.model, `pip install sentencepiece`"):
        fetch_model(str(source), None, "vicuna", tmp_path / "model")
