"""That the benchmarks still run and count; how fast things are is not for a test to say."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import kills
import memory
import throughput
from loopback import run_endpoint


@pytest.mark.parametrize("way", ["ours", "openai", "aiohttp"])
def test_every_way_of_calling_gets_an_answer_to_each_request(way: str) -> None:
    found = throughput.measure(way, 70, 0.01)
    assert (found["answers"], found["requests_received"]) == (70, 70)
    assert found["ratio_to_limit"] >= 1


def test_the_second_client_with_the_same_store_sends_nothing(tmp_path: Path) -> None:
    with run_endpoint("--no-keep-bodies") as server:
        for _ in range(2):
            assert memory.run_client(server, tmp_path, 70)["answers"] == 70
        assert server.stats()["requests"] == 70


@pytest.mark.pipeline
def test_a_killed_run_goes_on_where_it_was() -> None:
    found = kills.measure(count=2, seed=7)
    assert found["kept_and_answered_again"] == found["lost"] == found["outs_that_differ"] == 0
    assert found["most_in_flight_answered_again"] <= kills.IN_FLIGHT
