from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from feedback_lens.calls.request import Response, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store of three replies, two of model m."""
    use(monkeypatch, tmp_path / "store.sqlite")
    store = ResponseStore(tmp_path / "store.sqlite")
    for model, text in [("m", "a"), ("m", "b"), ("other", "a")]:
        response = Response("answered", "yes", prompt_tokens=1000, completion_tokens=7)
        store.put(ask_user(model, text, Sampling()), response)
    store.close()
    return tmp_path


def use(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(path))


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["store", *map(str, arguments)])


def test_stats_show_replies_and_tokens_by_model_and_outcome(folder: Path) -> None:
    lines = run("stats").output.splitlines()
    # two replies of m of 1000 and 7 tokens each
    assert [line.split() for line in lines[1:]] == [
        ["m", "answered", "2", "2000", "14"],
        ["other", "answered", "1", "1000", "7"],
    ]


def test_pack_and_unpack_move_replies_to_another_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("pack", folder / "recorded").output == f"{folder / 'recorded'}: 3 replies\n"
    use(monkeypatch, folder / "new.sqlite")
    assert run("unpack", folder / "recorded").output == f"{folder / 'new.sqlite'}: 3 new replies\n"
    assert run("unpack", folder / "recorded").output == f"{folder / 'new.sqlite'}: 0 new replies\n"


def test_pack_can_keep_to_one_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("pack", folder / "recorded", "--model", "other").output.endswith(": 1 replies\n")
    use(monkeypatch, folder / "new.sqlite")
    run("unpack", folder / "recorded")
    assert "other" in run("stats").output


def test_a_store_that_is_none_is_one_line_and_exit_code_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "notes.txt").write_text("notes " * 100)
    use(monkeypatch, folder / "notes.txt")
    result = run("stats")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {folder / 'notes.txt'}: not a response store")


def test_unpacking_a_folder_that_is_missing_is_refused(folder: Path) -> None:
    result = run("unpack", folder / "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.output
