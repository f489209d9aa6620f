"""A user's mistake ends in one clear line and an exit code, never in a traceback."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SAMPLE = PROJECT / "data/sample/lmsys.jsonl"


def run_stage(stage: str, *options: str, folder: Path, **environment: str) -> tuple[int, str]:
    hidden = ("OPENAI", "FEEDBACK", "DVC")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    done = subprocess.run(
        [sys.executable, "-m", f"feedback_lens.stages.{stage}", *options],
        cwd=folder,
        env=clean | {"PYTHONPATH": str(PROJECT / "src")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip()


def ingest(log: Path, log_format: str, folder: Path, *more: str) -> tuple[int, str]:
    return run_stage(
        "ingest",
        *("--log", str(log), "--format", log_format, "--corpus", "own"),
        *("--conversations", "c.parquet", "--rejects", "r.parquet", "--metrics", "m.json"),
        *("--languages", "English", "--min_user_turns", "2", "--toxic", "keep"),
        *("--drop_redacted", "--drop_duplicate_first_turns", "--max_characters", "100000"),
        *more,
        folder=folder,
    )


def label(folder: Path, *, model: str = "gpt-x", **environment: str) -> tuple[int, str]:
    assert ingest(SAMPLE, "lmsys", folder)[0] == 0
    (folder / "recorded").mkdir(exist_ok=True)
    return run_stage(
        "label",
        *("--conversations", "c.parquet", "--detector", "prompted", "--detector_folder", "d"),
        *("--prompts", str(PROJECT / "prompts"), "--assistant", "recorded"),
        *("--labels", "l.parquet", "--counts", "l.json"),
        *("--model", model, "--temperature", "0", "--max_tokens", "100"),
        *("--reasoning_effort", "None", "--reasks", "0", "--no-structured", "--samples", "1"),
        *("--no-logprobs", "--window", "60000", "--abstain_below", "0"),
        folder=folder,
        **environment,
    )


def test_an_unreadable_log_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    log.write_bytes(b"PAR1 this is no Parquet file PAR1")
    code, error = ingest(log, "wildchat", tmp_path)
    assert code == 1 and error.startswith(f"Error: {log}: cannot be read as parquet")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "c.parquet").exists()


def test_a_missing_log_says_which_parameter_to_set(tmp_path: Path) -> None:
    code, error = ingest(tmp_path / "gone.jsonl", "lmsys", tmp_path)
    assert code == 1 and "no such log; set corpora.<name>.path" in error


def test_a_log_in_another_schema_says_which_parameter_to_set(tmp_path: Path) -> None:
    code, error = ingest(SAMPLE, "wildchat", tmp_path)
    assert code == 1 and "set corpora.own.format or the filters" in error
    assert len(error.splitlines()) == 1


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    code, error = ingest(SAMPLE, "lmsyss", tmp_path)
    assert code == 1 and "'lmsyss'" in error and "lmsys, wildchat" in error


def test_an_unknown_parameter_is_refused_by_name(tmp_path: Path) -> None:
    code, error = ingest(SAMPLE, "lmsys", tmp_path, "--min_turns", "2")
    assert code == 2 and "No such option '--min_turns'" in error.replace('"', "'")


def test_a_mistyped_parameter_is_refused_with_its_value(tmp_path: Path) -> None:
    code, error = ingest(SAMPLE, "lmsys", tmp_path, "--min_user_turns", "two")
    assert code == 2 and "'two' is not a valid integer" in error


def test_a_missing_key_says_what_is_missing_and_what_to_set(tmp_path: Path) -> None:
    code, error = label(tmp_path)
    assert code == 1 and "63 replies of model 'gpt-x' are not recorded" in error
    assert "set OPENAI_API_KEY" in error and len(error.splitlines()) == 1


def test_offline_says_what_is_missing_and_what_to_unset(tmp_path: Path) -> None:
    code, error = label(tmp_path, FEEDBACK_LENS_OFFLINE="1", OPENAI_API_KEY="sk-secret")
    assert code == 1 and "FEEDBACK_LENS_OFFLINE=1; unset it" in error
    assert "sk-secret" not in error


def test_a_wrong_endpoint_is_one_line_without_the_key(tmp_path: Path) -> None:
    code, error = label(
        tmp_path,
        OPENAI_API_KEY="sk-secret",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
        FEEDBACK_LENS_RETRIES="0",
        NO_PROXY="127.0.0.1",
    )
    last = error.splitlines()[-1]  # before it stands the progress
    assert code == 1 and last.startswith("Error: label: ") and "run again" in last
    assert "sk-secret" not in error
