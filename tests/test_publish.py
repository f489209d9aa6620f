"""`feedback-lens publish`, on a project of the one stage `report`."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from dvc.repo import Repo

from browsing import needs_chromium, open_page
from feedback_lens.report.page.build import PRIVATE, escape_json
from feedback_lens.report.plots.bundle import bundle_vega
from pipeline_project import PROJECT
from report_page import conversations_of
from report_world import PUBLISHED, write_world
from tiny_project import TinyProject, run_lens

pytestmark = pytest.mark.pipeline
TEXTS = ("answer", "content", "judgment", "prompt", "reply")  # columns
WINDOW = 14  # characters of a text that would give it away
DVC_YAML = """
stages:
  report:
    cmd: >-
      python -m feedback_lens.stages.report --params params.yaml --reward_model tiny
      --metrics metrics --plots plots --published published.yaml --data data
      --catalog catalog.yaml --benchmarks benchmarks --report report/index.html
      --conversations 10 --questions 10
    deps: [metrics, plots, published.yaml, data, catalog.yaml, benchmarks]
    params: [run]
    outs: [report/index.html]
"""


class ReportProject(TinyProject):
    """A small pipeline's outputs in Git, of which one stage makes the report."""

    def _copy_tracked_files(self) -> None:
        write_world(self.folder)
        (self.folder / "published.yaml").write_bytes(PUBLISHED.read_bytes())
        (self.folder / "dvc.yaml").write_text(DVC_YAML)
        (self.folder / ".gitignore").write_text("/report/\n/*.html\n")
        Repo.init(str(self.folder), no_scm=True).close()
        (self.folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
        self.environment["PYTHONPATH"] = str(PROJECT / "src")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> ReportProject:
    project = ReportProject(tmp_path_factory.mktemp("report"), {})
    assert project.repro() == ["report"]
    project.commit("reproduce")
    project.git("tag", "v1")
    return project


@pytest.fixture
def project(reproduced: ReportProject) -> Iterator[ReportProject]:
    yield reproduced
    reproduced.restore()


def hash_of_head(project: ReportProject) -> str:
    return project.run("git", "rev-parse", "HEAD").stdout.strip()


def list_texts(content: Any) -> Iterator[str]:
    """What users and models wrote in the rows of a table."""
    if isinstance(content, list):
        for item in content:
            yield from list_texts(item)
    elif isinstance(content, dict):
        for name, item in content.items():
            if name in TEXTS or (isinstance(item, list | dict) and name != "categories"):
                yield from list_texts(item)
    elif isinstance(content, str):
        yield content


def spell(text: str) -> set[str]:
    """A text as it may stand in a page: as it is, in JSON, in HTML."""
    return {text, str(escape_json(text))[1:-1], html.escape(text), html.escape(text, quote=False)}


def find_given_away(folder: Path, page: str) -> set[str]:
    """Parts of the texts of all tables that stand in a page."""
    texts = {
        text
        for path in (folder / "data").rglob("*.parquet")
        for text in list_texts(pq.read_table(path).to_pylist())
    }
    parts = {
        text[place : place + WINDOW]
        for text in texts
        for place in range(max(1, len(text) - WINDOW + 1))
        if len(text) >= WINDOW
    }
    assert len(parts) > 50
    page = page.replace(bundle_vega(), "")  # code of others, which has `document.title=` too
    return {part for part in parts if any(spelled in page for spelled in spell(part))}


def test_a_copy_names_its_commit_and_holds_no_text(project: ReportProject, tmp_path: Path) -> None:
    file = tmp_path / "shown/feedback.html"
    done = run_lens(project, "publish", str(file))
    head = hash_of_head(project)
    assert done.output == f"{file}: the report of commit {head[:10]}, without text of logs\n"
    page = file.read_text("utf-8")
    told = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert re.search(rf"Commit {head} of \d{{4}}-\d\d-\d\d \(branch main, tag v1\) Cost", told)
    left_out = (
        "Whoever has the project can make one with them: feedback-lens publish FILE --with-text"
    )
    assert told.count(left_out) == len(PRIVATE)
    assert find_given_away(project.folder, page) == set()
    assert "text left out" in page
    assert run_lens(project, "publish", str(file)).exit_code == 0
    assert file.read_text("utf-8") == page


def test_a_copy_does_not_name_the_annotators(project: ReportProject, tmp_path: Path) -> None:
    run_lens(project, "publish", str(tmp_path / "copy.html"))
    copy = (tmp_path / "copy.html").read_text("utf-8").replace(bundle_vega(), "")
    own = (project.folder / "report/index.html").read_text("utf-8").replace(bundle_vega(), "")
    # in the lineage, both tables of kappas and the confusion plot
    assert len(re.findall(r"\bkim\b", own)) > 4
    assert not re.search(r"\bkim\b", copy)
    assert copy.count("annotator 1") == len(re.findall(r"\bkim\b", own))


def test_the_stage_s_own_page_holds_the_texts_that_the_copy_lacks(project: ReportProject) -> None:
    page = (project.folder / "report/index.html").read_text("utf-8")
    # so that the search above finds what it looks for
    assert len(find_given_away(project.folder, page)) > 50


def test_with_text_it_says_first_what_it_holds(project: ReportProject, tmp_path: Path) -> None:
    file = tmp_path / "all.html"
    first, last = run_lens(project, "publish", "--with-text", str(file)).output.splitlines()
    assert first.startswith("this copy holds text of users and models: of each of lmsys, team the")
    assert "private" not in first
    assert last.endswith("with text of logs")
    assert len(conversations_of(file.read_text("utf-8"))) == 6


def test_with_text_of_private_logs_it_says_that_they_are(
    project: ReportProject, tmp_path: Path
) -> None:
    project.set_params({"run.logs_remote": "private"})
    done = run_lens(project, "publish", "--dirty", "--with-text", str(tmp_path / "all.html"))
    assert "run.logs_remote is private: show it only to those who may" in done.output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("metrics/scores.json", "`dvc repro report` would run report; `feedback-lens changes`"),
        ("catalog.yaml", "no commit holds catalog.yaml as it is here: git add"),
        ("data/new.txt", "no commit holds data/new.txt as it is here"),
        ("dvc.yaml", "no commit holds dvc.yaml as it is here"),
        ("params.yaml", "no commit holds params.yaml as it is here"),
    ],
)
def test_what_no_commit_holds_is_refused_with_its_mend_and_told_on_the_page_if_wanted(
    project: ReportProject, tmp_path: Path, name: str, words: str
) -> None:
    path, file = project.folder / name, tmp_path / "copy.html"
    path.write_text((path.read_text() if path.exists() else "") + "\n")
    done = run_lens(project, "publish", str(file))
    assert done.exit_code == 1
    assert words in done.output and "or tell so on the page by --dirty" in done.output
    assert not file.exists()
    done = run_lens(project, "publish", "--dirty", str(file))
    assert f"commit {hash_of_head(project)[:10]} with uncommitted changes" in done.output
    assert "with uncommitted changes" in file.read_text("utf-8")


def test_a_run_that_is_not_committed_is_refused(project: ReportProject, tmp_path: Path) -> None:
    path = project.folder / "catalog.yaml"
    path.write_text(path.read_text() + "\n")
    assert project.repro() == ["report"]
    done = run_lens(project, "publish", str(tmp_path / "copy.html"))
    assert done.exit_code == 1 and "would run" not in done.output
    assert "no commit holds catalog.yaml, dvc.lock as it is here" in done.output


def test_a_missing_or_edited_report_is_refused(project: ReportProject, tmp_path: Path) -> None:
    report, file = project.folder / "report/index.html", tmp_path / "copy.html"
    report.unlink()
    done = run_lens(project, "publish", str(file))
    assert done.exit_code == 1
    assert "report/index.html is missing: `dvc checkout report/index.html`, or" in done.output
    report.write_text("edited")
    done = run_lens(project, "publish", str(file))
    assert done.exit_code == 1 and "`dvc repro report` would run report" in done.output


def test_what_the_page_does_not_depend_on_may_be_edited(
    project: ReportProject, tmp_path: Path
) -> None:
    (project.folder / ".gitignore").write_text("/report/\n/*.html\n# more\n")
    (project.folder / "notes.txt").write_text("mine\n")
    assert run_lens(project, "publish", str(tmp_path / "copy.html")).exit_code == 0
    assert run_lens(project, "publish", "copy.html").exit_code == 0
    assert run_lens(project, "publish", "copy.html").exit_code == 0


def test_it_writes_no_file_that_is_a_stage_s(project: ReportProject, tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(project.folder / "report/index.html")
    before = (project.folder / "report/index.html").read_bytes()
    for file in ("report/index.html", "report/copy.html", str(link), "data/../report/index.html"):
        done = run_lens(project, "publish", "--dirty", file)
        assert done.exit_code == 1
        assert "stages write into report/; name a file elsewhere" in done.output
    assert (project.folder / "report/index.html").read_bytes() == before


def test_a_copy_that_fails_leaves_what_was_there(project: ReportProject, tmp_path: Path) -> None:
    file = tmp_path / "copy.html"
    file.write_text("older")
    (project.folder / "plots/loss.csv").unlink()
    done = run_lens(project, "publish", "--dirty", str(file))
    assert done.exit_code == 1 and "plots/loss.csv: no such plot" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["copy.html"]
    assert file.read_text() == "older"


@pytest.mark.browser
@needs_chromium
def test_a_browser_shows_the_copy_without_a_complaint(
    project: ReportProject, tmp_path: Path
) -> None:
    file = tmp_path / "copy.html"
    run_lens(project, "publish", str(file))
    with open_page(file) as page:
        assert page.complaints == []
        assert page.locator(".run code").inner_text() == hash_of_head(project)
        assert "Left out of this copy" in page.locator("#conversations").inner_text()
