import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from endpoint import environment, serve
from feedback_lens.calls import model_server
from feedback_lens.calls.models import name_local_model
from feedback_lens.calls.planning import Planned, planning
from feedback_lens.calls.request import Sampling, ask_user
from feedback_lens.calls.served import open_model
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError
from feedback_lens.stages.answer import main

SERVER = Path(__file__).with_name("named_endpoint.py")


@pytest.fixture
def folder(tmp_path):
    """A model's folder, with a blank in its name; nobody loads it here."""
    path = tmp_path / "a model"
    path.mkdir()
    (path / "config.json").write_text("{}")
    return path


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The file in which the server of FEEDBACK_LENS_SERVER writes down what it is."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "FEEDBACK_LENS_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FEEDBACK_LENS_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "0")
    monkeypatch.setenv("FEEDBACK_LENS_RETRIES", "0")
    return tmp_path / "state.json"


def set_command(monkeypatch, state, *options):
    # env ignores nothing of the folder: it goes into a variable, blanks and all
    line = f"env MODEL={{folder}} {sys.executable} {SERVER} --port {{port}} --name {{name}} "
    line += " ".join([f"--state {state}", *options])
    monkeypatch.setenv("FEEDBACK_LENS_SERVER", line)


def ask(folder, *texts):
    with open_model("answer", folder, "endpoint") as assistant:
        requests = [ask_user(assistant.model, t, Sampling(0.0, max_tokens=9)) for t in texts]
        return [response.text for response in assistant.ask(requests)]


def asked(state):
    log = state.with_suffix(".requests")
    return len(log.read_text().splitlines()) if log.is_file() else 0


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def living(state):
    return [pid for pid in json.loads(state.read_text())["pids"] if is_alive(pid)]


def test_a_server_is_started_asked_and_ended_with_its_child(folder, state, monkeypatch):
    set_command(monkeypatch, state)
    before = dict(os.environ)
    with open_model("answer", folder, "endpoint") as assistant:
        assert assistant.model == name_local_model(folder)
        assert not state.is_file()  # nothing is asked yet
        for text in ("first question", "second question"):
            [response] = assistant.ask([ask_user(assistant.model, text, Sampling())])
            assert response.outcome == "answered"
        assert len(living(state)) == 2
    assert living(state) == []
    assert dict(os.environ) == before
    assert asked(state) == 2


def test_what_is_kept_starts_no_server(folder, state, monkeypatch):
    set_command(monkeypatch, state)
    first = ask(folder, "some question")
    state.unlink()
    assert ask(folder, "some question") == first
    assert not state.is_file()


def test_other_weights_are_asked_anew(folder, state, monkeypatch):
    set_command(monkeypatch, state)
    ask(folder, "some question")
    (folder / "config.json").write_text('{"other": "weights"}')
    ask(folder, "some question")
    assert asked(state) == 2


def test_own_weights_need_no_key_no_price_no_batches_and_no_proxy(folder, state, monkeypatch):
    set_command(monkeypatch, state)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-endpoint")
    monkeypatch.setenv("FEEDBACK_LENS_MAX_USD", "1")
    monkeypatch.setenv("FEEDBACK_LENS_PROVIDER", "batch")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert len(ask(folder, "some question")) == 1
    # the key is none of the server's business
    assert json.loads(state.read_text())["environment"] == {}
    store = ResponseStore(Path(os.environ["FEEDBACK_LENS_STORE"]))
    [(*who, usd, _)] = store.spending()
    store.close()
    assert (who, usd) == (["answer", name_local_model(folder), "endpoint", 1], 0.0)


def test_a_server_that_dies_at_once_is_an_error_with_its_last_words(folder, state, monkeypatch):
    monkeypatch.setenv(
        "FEEDBACK_LENS_SERVER", "sh -c 'echo no such device >&2; exit 7' {folder} {port}"
    )
    with pytest.raises(InputError, match=r"ended with code 7; its last words:\n  no such device"):
        ask(folder, "some question")


def test_a_server_that_is_never_ready_is_ended_after_a_while(folder, state, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_SERVER_TIMEOUT", "0.3")
    line = f"sh -c 'echo $$ > {state}; echo loading; sleep 600' {{folder}} {{port}}"
    monkeypatch.setenv("FEEDBACK_LENS_SERVER", line)
    with pytest.raises(InputError, match=r"not ready within 0.3 s .*last words:\n  loading"):
        ask(folder, "some question")
    assert not is_alive(int(state.read_text()))


def test_a_server_that_dies_in_the_middle_keeps_what_it_answered(folder, state, monkeypatch):
    set_command(monkeypatch, state, "--die-at 2")
    monkeypatch.setenv("FEEDBACK_LENS_CONCURRENCY", "1")
    texts = [f"question number {number}" for number in range(4)]
    with pytest.raises(InputError) as error:
        ask(folder, *texts)
    assert "2 were answered and are kept" in error.value.message
    assert "ended with code 3; its last words:\n  loading the weights\n  CUDA out of memory" in (
        error.value.message
    )
    assert living(state) == []
    set_command(monkeypatch, state)
    assert len(ask(folder, *texts)) == 4
    assert asked(state) == 4  # two by each server


def test_a_child_that_does_not_listen_is_killed(folder, state, monkeypatch):
    monkeypatch.setattr(model_server, "GRACE_SECONDS", 0.3)
    set_command(monkeypatch, state, "--stubborn")
    ask(folder, "some question")
    assert living(state) == []


def test_a_server_that_takes_no_colon_has_the_plain_name(folder, state, monkeypatch):
    set_command(monkeypatch, state)
    monkeypatch.setenv(
        "FEEDBACK_LENS_SERVER", os.environ["FEEDBACK_LENS_SERVER"].replace("name}", "plain_name}")
    )
    assert len(ask(folder, "some question")) == 1
    [line] = state.with_suffix(".requests").read_text().splitlines()
    name = name_local_model(folder)
    assert json.loads(line)["model"] == name.replace("local:", "local-")
    store = ResponseStore(Path(os.environ["FEEDBACK_LENS_STORE"]))
    # kept by the name of the content, whatever the server calls it
    [(model, *_)] = store.stats()
    store.close()
    assert model == name


def test_a_server_of_another_model_is_refused_before_it_is_asked(folder, state, monkeypatch):
    line = f"env MODEL={{folder}} {sys.executable} {SERVER} --port {{port}} --name other"
    monkeypatch.setenv("FEEDBACK_LENS_SERVER", f"{line} --state {state}")
    with pytest.raises(InputError, match=r"serves other, and not 'local:a model@"):
        ask(folder, "some question")
    assert (asked(state), living(state)) == (0, [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no_such_program {folder} {port}", "cannot be started .no_such_program"),
        ("vllm serve {folder}", "the place {port} is missing"),
        ("serve --port {port}", "the place {folder}, {name} or {plain_name} is missing"),
        ("vllm serve '{folder} {port}", "mend its quotes"),
    ],
)
def test_a_command_that_cannot_be_run_is_named(line, message, folder, state, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_SERVER", line)
    with pytest.raises(InputError, match=message):
        ask(folder, "some question")


@pytest.mark.parametrize("place", ["name", "plain_name"])
def test_a_command_may_find_the_model_by_its_name_alone(place, folder, state, monkeypatch):
    line = f"{sys.executable} {SERVER} --port {{port}} --name {{{place}}} --state {state}"
    monkeypatch.setenv("FEEDBACK_LENS_SERVER", line)
    assert len(ask(folder, "some question")) == 1


def test_an_adapter_alone_is_refused_before_a_server_is_started(folder, state, monkeypatch):
    (folder / "adapter_config.json").write_text("{}")
    set_command(monkeypatch, state)
    with pytest.raises(InputError, match=r"holds an adapter alone.*: answer.engine: local, or "):
        ask(folder, "some question")
    assert not state.is_file()


def test_all_benchmarks_are_read_before_the_first_answer(folder, tmp_path, state, monkeypatch):
    set_command(monkeypatch, state)
    row = {"question_id": 1, "category": "cooking", "turns": ["some question"]}
    for name, content in (("good", json.dumps(row)), ("bad", "{}")):
        path = tmp_path / "questions" / name / "question.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(content)
    words = ["--model", folder, "--questions", tmp_path / "questions", "--engine", "endpoint"]
    words += ["--answers", tmp_path / "answers", "--max_tokens", 9, "--seed", 1, "--benchmarks"]
    result = CliRunner().invoke(main, [*map(str, words), "good", "--benchmarks", "bad"])
    assert (result.exit_code, state.is_file()) == (1, False)
    assert "bad/question.jsonl:1: the field 'question_id' is missing" in result.output
    result = CliRunner().invoke(main, [*map(str, words), "good"])
    assert result.exit_code == 0, result.output
    assert "answer: good: 'cooking': none of MT-Bench's categories" in result.output


def test_offline_and_in_planning_no_server_is_started(folder, state, monkeypatch):
    set_command(monkeypatch, state)
    with planning() as tally, pytest.raises(Planned):
        ask(folder, "some question")
    assert tally.demands["answer", name_local_model(folder)].calls == 1
    monkeypatch.setenv("FEEDBACK_LENS_OFFLINE", "1")
    with pytest.raises(InputError, match="FEEDBACK_LENS_OFFLINE=1; unset it to ask the server"):
        ask(folder, "some question")
    assert not state.is_file()


def test_without_a_command_the_endpoint_is_asked_and_needs_no_key(
    folder, tmp_path, state, monkeypatch
):
    name = name_local_model(folder)
    with serve(models=("other", name)) as server:
        for variable, value in environment(server, tmp_path).items():
            monkeypatch.setenv(variable, value)
        monkeypatch.delenv("OPENAI_API_KEY")
        assert len(ask(folder, "some question")) == 1
        assert [body["model"] for body in server.received] == [name]
        assert "OPENAI_API_KEY" not in os.environ


def test_an_endpoint_that_lacks_the_model_is_told_how_to_serve_it(
    folder, tmp_path, state, monkeypatch
):
    serving = f"vllm serve '{folder}' --served-model-name '{name_local_model(folder)}'"
    with serve(models=("other",)) as server:
        for variable, value in environment(server, tmp_path).items():
            monkeypatch.setenv(variable, value)
        with pytest.raises(InputError) as error:
            ask(folder, "some question")
        assert server.received == []
    assert f"{server.base_url} serves other, and not" in error.value.message
    assert serving in error.value.message
    with pytest.raises(InputError, match="lists no model; serve it by"):
        ask(folder, "some question")  # it is down now
    monkeypatch.delenv("OPENAI_BASE_URL")
    with pytest.raises(InputError) as error:
        ask(folder, "some question")
    assert "neither FEEDBACK_LENS_SERVER nor OPENAI_BASE_URL is set" in error.value.message
    assert serving in error.value.message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_stage_ends_the_server_too(number, folder, tmp_path, state, monkeypatch):
    set_command(monkeypatch, state, "--hang-at 1")
    questions = tmp_path / "questions" / "b"
    questions.mkdir(parents=True)
    rows = [{"question_id": n, "category": "math", "turns": [f"question {n}"]} for n in range(3)]
    (questions / "question.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (questions / "reference.jsonl").write_text("")
    paths = ["--model", folder, "--questions", tmp_path / "questions", "--benchmarks", "b"]
    values = ["--answers", tmp_path / "answers", "--max_tokens", 9, "--seed", 1]
    words = map(str, [*paths, *values, "--engine", "endpoint"])
    stage = subprocess.Popen(
        [sys.executable, "-m", "feedback_lens.stages.answer", *words],
        stderr=subprocess.PIPE,
        text=True,
        # nohup and shells in the background hand down that a signal is ignored
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while asked(state) < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(living(state)) == 2
    stage.send_signal(number)
    stage.communicate(timeout=30)
    assert stage.returncode == {signal.SIGINT: 1}.get(number, 128 + number)
    assert living(state) == []
    assert not (tmp_path / "answers").exists()
