import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batch_client import (
    ask,
    leave_at_server,
    name_of,
    open_sender,
    questions,
    replies,
    sent,
    serve_batches,
    sizes,
    stored,
    texts,
)
from batch_jobs import Job
from endpoint import KEY, Endpoint
from feedback_lens.calls.assistant import open_assistant
from feedback_lens.calls.batches.log import Size
from feedback_lens.calls.request import Request, Sampling, ask_user
from feedback_lens.calls.store import ResponseStore
from feedback_lens.errors import InputError

MANY = 1_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Endpoint]:
    with serve_batches(tmp_path) as server:
        yield server


def in_first_batch(server: Endpoint, plan: Callable[[str], str | None]) -> None:
    """Lines meet faults by their question's name, as long as there is one batch alone."""
    server.batches.line_plan = lambda number, body: (
        plan(name_of(body)) if len(server.batches.jobs) == 1 else None
    )


def test_answers_come_in_order_and_are_kept_at_the_batch_price(
    server: Endpoint, tmp_path: Path
) -> None:
    responses = ask(tmp_path, questions(*range(3)))
    assert texts(responses) == replies(0, 1, 2)
    assert {(r.outcome, r.served_model) for r in responses} == {("answered", "m-loopback")}
    store = ResponseStore(tmp_path / "store.sqlite")
    [(stage, model, provider, count, usd, seconds)] = store.spending()
    store.close()
    assert (stage, model, provider, count, seconds) == ("label", "m", "batch", 3, None)
    # "question 0" are 2 words, "re: question 0" are 3: (2 x 1 + 3 x 2) dollars a million, half
    assert usd == pytest.approx(3 * 8e-6 / 2)


def test_the_stages_take_batches_where_the_environment_says_so(
    server: Endpoint, tmp_path: Path
) -> None:
    responses = open_assistant("label", "m", tmp_path).ask(questions("a"))
    assert texts(responses) == replies("a")
    assert sizes(server) == [1]


def test_a_line_holds_the_key_and_the_body_that_the_endpoint_would_get(
    server: Endpoint, tmp_path: Path
) -> None:
    # the order of the names in a schema is the order in which a model writes them
    schema = {"type": "json_object", "b": 1, "a": 2}
    request = ask_user("m", "häß \ud83d", Sampling(0, seed=7), schema)
    ask(tmp_path, [request])
    [job] = server.batches.jobs.values()
    [line] = job.requests
    assert line["custom_id"] == request.key
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert json.dumps(line["body"]) == json.dumps(
        {
            "model": "m",
            "messages": [{"role": "user", "content": "häß \ud83d"}],
            "temperature": 0.0,
            "seed": 7,
            "response_format": schema,
            "store": False,
        }
    )
    assert job.metadata is not None
    assert job.metadata["stage"] == "label"


@pytest.mark.parametrize(
    ("fault", "outcome", "text"),
    [
        ("length", "cut_off", "re: question a"),
        ("filtered_reply", "filtered", "re: question a"),
        ("refusal", "refused", "I cannot help with that."),
        ("content_filter", "filtered", "HTTP 400: The prompt was filtered: Bearer [key]"),
        ("too_long", "failed", "HTTP 400: The maximum context length is 8 tokens"),
        ("no_usage", "answered", "re: question a"),
    ],
)
def test_outcomes_have_the_names_that_the_endpoint_gives(
    fault: str, outcome: str, text: str, server: Endpoint, tmp_path: Path
) -> None:
    server.batches.line_plan = lambda number, body: fault
    [response] = ask(tmp_path, questions("a"))
    assert (response.outcome, response.text) == (outcome, text)
    assert sizes(server) == [1]


def test_results_in_another_order_and_with_other_line_separators_find_their_requests(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.reverse = True
    names = ["a\u2028b", "c\x85d", "e\rf"]
    assert texts(ask(tmp_path, questions(*names))) == replies(*names)
    assert sizes(server) == [3]


def test_a_file_holds_no_more_requests_than_it_may(server: Endpoint, tmp_path: Path) -> None:
    server.batches.most_lines = 4
    assert texts(ask(tmp_path, questions(*range(10)), most=Size(4, MANY))) == replies(*range(10))
    assert sizes(server) == [4, 4, 2]


def test_a_file_holds_no_more_bytes_than_it_may(server: Endpoint, tmp_path: Path) -> None:
    ask(tmp_path, questions(0))
    [stored_line] = [len(json.dumps(r, separators=(",", ":"))) + 1 for r in first_requests(server)]
    server.batches.most_bytes = 3 * stored_line
    ask(tmp_path, questions(*range(1, 8)), most=Size(MANY, 3 * stored_line))
    # all lines are equally long, and 3 of them fit exactly
    assert sizes(server) == [1, 3, 3, 1]


def first_requests(server: Endpoint) -> list[dict[str, Any]]:
    return next(iter(server.batches.jobs.values())).requests


def test_a_request_that_fits_no_file_is_named_and_the_others_are_answered(
    server: Endpoint, tmp_path: Path
) -> None:
    large = questions("x" * 2000)[0]
    with pytest.raises(InputError) as error:
        ask(tmp_path, [*questions(0), large, *questions(1)], most=Size(9, 1000))
    assert f"request {large.key} takes" in error.value.message
    assert "over the 1000 of a batch's file; unset FEEDBACK_LENS_PROVIDER" in error.value.message
    assert sorted(stored(tmp_path).values()) == replies(0, 1)


def test_requests_of_two_models_go_into_two_files(server: Endpoint, tmp_path: Path) -> None:
    requests = [*questions(0, 1), *questions(2, model="n")]
    assert texts(ask(tmp_path, requests)) == replies(0, 1, 2)
    assert sizes(server) == [2, 1]


def test_four_files_are_under_way_at_most(server: Endpoint, tmp_path: Path) -> None:
    server.batches.pace = MANY
    sender = open_sender(tmp_path, most=Size(2, MANY))
    started = 0
    for request in questions(*range(20)):
        if not sender.has_room():
            break
        sender.start(request)
        started += 1
    sender.close()
    # the last file is full, and waits for the next request or for `collect`
    assert (started, sizes(server)) == (8, [2, 2, 2])


def test_files_are_deleted_at_the_server_once_the_answers_are_kept(
    server: Endpoint, tmp_path: Path
) -> None:
    in_first_batch(server, lambda name: "rate_limited" if name == "1" else None)
    ask(tmp_path, questions(0, 1))
    # input, output and error file of the first batch, input and output file of the second
    assert len(server.batches.deleted) == 5
    assert server.batches.files == {}
    assert list(tmp_path.glob("*.lock")) == []


def test_a_file_that_cannot_be_deleted_is_named(
    server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.batches.lose["delete"] = MANY
    assert texts(ask(tmp_path, questions(0))) == replies(0)
    message = capsys.readouterr().err
    assert "label: file file-0 could not be deleted at the server (HTTP 500" in message
    assert "file-1 could not be deleted" in message


def test_the_user_is_told_the_names_of_batches(
    server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(tmp_path, questions(0, 1))
    message = capsys.readouterr().err
    assert "label: batch batch_0 with 2 requests is at the server" in message
    assert "label: batch batch_0 is completed" in message
    assert "label at the server" in message


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("missing", "1 requests go out again (a batch came back without a line for them)"),
        ("garbage", "1 requests go out again (a batch came back without a line for them); 1 lines cannot be read (such as line 2)"),
        ("twice", "batch_0 is completed; 1 lines answer a request a second time (such as '"),
        ("unknown_id", "batch_0 is completed; 1 lines are about a request that nobody asked (such as 'of-nobody')"),
        ("no_response", "1 requests go out again (No answer came)"),
        ("rate_limited", "1 requests go out again (HTTP 429: Rate limit reached)"),
        ("broken", "1 requests go out again (HTTP 500: The server had an error)"),
    ],
)  # fmt: skip
def test_a_line_with_a_flaw_is_named_and_costs_no_other_line(
    fault: str,
    words: str,
    server: Endpoint,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    second = sorted(questions(0, 1, 2), key=lambda request: request.key)[1]
    in_first_batch(server, lambda name: fault if request_of(name).key == second.key else None)
    assert texts(ask(tmp_path, questions(0, 1, 2))) == replies(0, 1, 2)
    again = [1] if "again" in words else []
    assert sizes(server) == [3, *again]
    assert words in capsys.readouterr().err


def request_of(name: str) -> Request:
    return questions(name)[0]


def test_a_request_that_comes_back_three_times_is_given_up(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.line_plan = lambda number, body: "broken" if name_of(body) == "1" else None
    with pytest.raises(InputError) as error:
        ask(tmp_path, questions(0, 1, 2))
    assert error.value.message == (
        "label: 1 requests got no answer (HTTP 500: The server had an error); "
        "2 were answered and are kept: run again"
    )
    assert sizes(server) == [3, 1, 1]
    server.batches.line_plan = lambda number, body: None
    # the next run begins anew
    assert texts(ask(tmp_path, questions(0, 1, 2))) == replies(0, 1, 2)
    assert sizes(server) == [3, 1, 1, 1]


def test_an_error_that_would_come_again_is_not_asked_again(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.line_plan = lambda number, body: (
        "unsupported_format" if name_of(body) == "1" else None
    )
    with pytest.raises(InputError, match=r"1 requests got no answer .HTTP 400: response_format"):
        ask(tmp_path, questions(0, 1, 2))
    assert sizes(server) == [3]


def test_a_quota_that_ends_amid_a_batch_stops_the_stage_and_keeps_what_was_answered(
    server: Endpoint, tmp_path: Path
) -> None:
    in_first_batch(server, lambda name: None if name == "0" else "out_of_quota")
    with pytest.raises(InputError, match=r"You exceeded your current quota.*check key, .*account"):
        ask(tmp_path, questions(0, 1, 2))
    assert list(stored(tmp_path).values()) == replies(0)
    assert texts(ask(tmp_path, questions(0, 1, 2))) == replies(0, 1, 2)
    assert sizes(server) == [3, 2]


def test_a_batch_of_which_all_requests_failed_is_no_success(
    server: Endpoint, tmp_path: Path
) -> None:
    in_first_batch(server, lambda name: "overloaded")
    assert texts(ask(tmp_path, questions(0, 1))) == replies(0, 1)
    first = server.batches.jobs["batch_0"]
    assert (first.status, first.output_file) == ("completed", None)
    assert sizes(server) == [2, 2]


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_of_a_batch_that_ended_early_what_was_done_is_kept_and_the_rest_sent_again(
    end: str, server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.batches.answer_only, server.batches.end = 2, end
    assert texts(ask(tmp_path, questions(*range(5)))) == replies(*range(5))
    # 2 of 5, 2 of 3, then the last
    assert sizes(server) == [5, 3, 1]
    assert f"batch_0 is {end}; 3 requests go out again (This request" in capsys.readouterr().err
    assert max(server.batches.answered.values()) == 1


def test_under_a_limit_of_enqueued_tokens_files_are_halved(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.enqueued = 10
    assert texts(ask(tmp_path, questions(*range(40)))) == replies(*range(40))
    # 40, then halves of it, of which each is halved in turn
    assert sizes(server)[:3] == [40, 20, 20]
    assert [len(job.requests) for job in accepted(server)] == [10, 10, 10, 10]
    assert sent(server) == sorted(str(number) for number in range(40))


def accepted(server: Endpoint) -> list[Job]:
    return [job for job in server.batches.jobs.values() if not job.errors]


def test_a_batch_without_room_waits_for_the_others_and_is_not_halved(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.enqueued = 10
    requests = questions(*range(20))
    assert texts(ask(tmp_path, requests, most=Size(10, MANY))) == replies(*range(20))
    assert sizes(server) == [10, 10, 10]
    assert sent(server) == sorted(str(number) for number in range(20))


def test_a_limit_below_the_least_file_ends_with_the_servers_words(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_TOTAL_TIMEOUT", "0.2")
    server.batches.enqueued = 3
    with pytest.raises(InputError, match=r"Enqueued token limit reached for m.*run again"):
        ask(tmp_path, questions(*range(8)), least=4)
    assert min(sizes(server)) == 4
    server.batches.enqueued = 4
    assert texts(ask(tmp_path, questions(*range(8)), least=4)) == replies(*range(8))


@pytest.mark.parametrize(
    ("code", "message", "mend"),
    [
        ("billing_hard_limit_reached", "Billing hard limit", "check the account"),
        ("insufficient_quota", f"No quota for {KEY}", "check the account"),
        ("invalid_json_line", "Line 3 is not JSON", "mend what it says"),
    ],
)
def test_a_batch_that_is_turned_down_is_told_with_the_servers_words(
    code: str, message: str, mend: str, server: Endpoint, tmp_path: Path
) -> None:
    server.batches.refusal = (code, message)
    with pytest.raises(InputError) as error:
        ask(tmp_path, questions(0, 1))
    words = message.replace(KEY, "[key]")
    assert error.value.message == (
        f"label: the server turned batch batch_0 down ({code}: {words}); what was answered "
        f"before is kept: {mend}{', its quota and the model' if 'check' in mend else ''}, "
        "then run again"
    )
    assert server.batches.files == {}
    server.batches.refusal = None
    assert texts(ask(tmp_path, questions(0, 1))) == replies(0, 1)


@pytest.mark.parametrize("takes_files", [True, False])
def test_a_server_without_the_api_is_told_in_one_line(
    takes_files: bool, server: Endpoint, tmp_path: Path
) -> None:
    server.batches.exists, server.batches.takes_batches = takes_files, False
    with pytest.raises(InputError) as error:
        ask(tmp_path, questions(0))
    assert error.value.message == (
        f"label: the server at 127.0.0.1:{server.port} has no Batch API "
        '(HTTP 404: {"detail": "Not Found"}); unset FEEDBACK_LENS_PROVIDER to send requests '
        "one by one"
    )
    # what was uploaded before is not left there
    assert len(server.batches.deleted) == takes_files
    assert server.batches.files == {}


def test_a_batch_that_is_refused_leaves_nothing_behind(server: Endpoint, tmp_path: Path) -> None:
    server.batches.refuses_batches = True
    with pytest.raises(InputError, match=r"HTTP 400: Batches are not for this account\."):
        ask(tmp_path, questions(0))
    assert server.batches.files == {}
    assert count_rows(tmp_path) == 0


def count_rows(folder: Path) -> int:
    database = sqlite3.connect(folder / "store.sqlite")
    [(batches,)] = database.execute("SELECT count(*) FROM batches")
    [(requests,)] = database.execute("SELECT count(*) FROM batch_requests")
    database.close()
    return int(batches + requests)


def test_what_was_not_sent_is_not_written_down_any_more(server: Endpoint, tmp_path: Path) -> None:
    sender = open_sender(tmp_path)
    sender.start(questions(0)[0])
    assert count_rows(tmp_path) == 1
    sender.close()
    assert count_rows(tmp_path) == 0


def test_a_file_that_is_cut_short_is_fetched_again_and_nothing_is_sent_again(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.cut = 2
    assert texts(ask(tmp_path, questions(*range(5)))) == replies(*range(5))
    assert sizes(server) == [5]


def test_a_batch_may_take_long(server: Endpoint, tmp_path: Path) -> None:
    server.batches.pace = 4
    assert texts(ask(tmp_path, questions(0))) == replies(0)
    # 4 looks in each of three statuses
    assert server.batches.jobs["batch_0"].looks == 12


def test_trouble_while_waiting_is_borne(server: Endpoint, tmp_path: Path) -> None:
    server.batches.lose["retrieve"] = 3
    assert texts(ask(tmp_path, questions(0))) == replies(0)
    assert sizes(server) == [1]


def test_lasting_trouble_ends_the_run_and_the_next_one_takes_the_answers(
    server: Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FEEDBACK_LENS_TOTAL_TIMEOUT", "0.2")
    server.batches.lose["retrieve"] = MANY
    with pytest.raises(InputError, match=r"cannot be used for 0 s .HTTP 500.*batches go on at the"):
        ask(tmp_path, questions(0))
    assert "batch_0 go on at the server; run again later" in capsys.readouterr().err
    server.batches.lose["retrieve"] = 0
    assert texts(ask(tmp_path, questions(0))) == replies(0)
    assert sizes(server) == [1]


def test_a_wrong_key_ends_the_run_at_once(server: Endpoint, tmp_path: Path) -> None:
    server.batches.wrong_key = True
    with pytest.raises(InputError) as error:
        ask(tmp_path, questions(0))
    assert error.value.message == (
        "label: the Batch API cannot be used (HTTP 401: Incorrect API key provided: Bearer [key]); "
        "what was answered is kept, and batches go on at the server: check key, OPENAI_BASE_URL "
        "and account, then run again"
    )


def test_a_key_that_cannot_be_sent_ends_the_run_at_once(
    server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n{KEY}")
    with pytest.raises(InputError, match=r"OPENAI_API_KEY .* cannot be sent") as error:
        ask(tmp_path, questions(0))
    assert KEY not in error.value.message


def test_ctrl_c_names_the_batches_that_go_on(
    server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.batches.pace = MANY

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(tmp_path, questions(0, 1))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "label: batch_0 go on at the server; run again later" in capsys.readouterr().err
    server.batches.pace = 1
    assert texts(ask(tmp_path, questions(0, 1))) == replies(0, 1)
    assert sizes(server) == [2]


def test_under_a_cap_requests_go_out_as_answers_turn_out_cheaper(
    server: Endpoint, tmp_path: Path
) -> None:
    # at worst a token a byte of "question 0" and 16 for its frame, and 8 of the reply: 26 x 1
    # and 8 x 2 dollars a million, half; the answer costs (2 + 3 x 2) / 2 = 4 of these 21
    cap = 50e-6
    responses = ask(tmp_path, questions(*range(5)), cap=cap)
    assert texts(responses) == replies(*range(5))
    # 2 x 21 fit; with 8 spent, 2 more; with 16 spent, the last
    assert sizes(server) == [2, 2, 1]


def test_at_the_cap_the_stage_ends_and_keeps_what_it_has(server: Endpoint, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"could pass the cap of 2.5e-05 dollars"):
        ask(tmp_path, questions(*range(5)), cap=25e-6)
    # 21 of 25 fit once; with 4 spent, a second time; with 8 spent, no more
    assert sizes(server) == [1, 1]
    assert len(stored(tmp_path)) == 2


def test_what_was_set_aside_for_a_request_that_is_given_up_is_free_for_the_next(
    server: Endpoint, tmp_path: Path
) -> None:
    server.batches.line_plan = lambda number, body: "broken" if name_of(body) == "0" else None
    # 21 of 25 fit, once at a time
    with pytest.raises(InputError, match="1 requests got no answer"):
        ask(tmp_path, questions(0, 1), cap=25e-6)
    assert list(stored(tmp_path).values()) == replies(1)


def test_what_stands_in_a_batch_is_waited_for_whatever_the_cap(
    server: Endpoint, tmp_path: Path
) -> None:
    leave_at_server(server, tmp_path, questions(0))
    assert texts(ask(tmp_path, questions(0), cap=1e-9)) == replies(0)
    assert sizes(server) == [1]


def test_the_key_is_in_no_file_table_message_or_error(
    server: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plans = {"0": "content_filter", "1": "wrong_key"}
    server.batches.line_plan = lambda number, body: plans.get(name_of(body))
    with pytest.raises(InputError) as error:
        ask(tmp_path, questions(0, 1, 2))
    assert "Incorrect API key provided: Bearer [key]" in error.value.message
    shown = capsys.readouterr()
    assert KEY not in error.value.message + shown.err + shown.out
    for path in tmp_path.iterdir():
        assert path.is_dir() or KEY.encode() not in path.read_bytes()
