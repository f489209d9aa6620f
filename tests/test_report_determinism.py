"""The page's bytes come of its inputs alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import feedback_lens
from report_world import write_world


def run_stage(arguments, **environment):
    command = [sys.executable, "-m", "feedback_lens.stages.report", *arguments]
    source = str(Path(feedback_lens.__file__).parents[1])
    variables = {**os.environ, "PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    subprocess.run(command, env=variables, check=True, capture_output=True)


def list_files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_another_process_folder_hash_seed_language_and_time_zone_give_the_same_bytes(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    arguments = write_world(first)
    shutil.copytree(first, second)
    moved = [part.replace(str(first), str(second)) for part in arguments]
    run_stage(arguments, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8")
    run_stage(moved, PYTHONHASHSEED="2", TZ="Asia/Kolkata", LC_ALL="C", COLUMNS="40")
    page = (first / "report/index.html").read_bytes()
    assert page == (second / "report/index.html").read_bytes()
    assert str(tmp_path).encode() not in page


def test_the_stage_writes_the_page_and_nothing_else(tmp_path):
    arguments = write_world(tmp_path)
    before = list_files(tmp_path)
    run_stage(arguments, HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path))
    after = list_files(tmp_path)
    assert after.pop("report/index.html")
    assert after == before
