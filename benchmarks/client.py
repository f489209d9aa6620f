"""One client process of a benchmark: sends so many requests one way, and says how it went.

`python benchmarks/client.py ours --requests 2000 --in-flight 64`, with OPENAI_BASE_URL set. Prints
JSON: `finished` (Unix time of the last reply), `answers`, CPU seconds, resident MB before and at
the peak.
"""

import argparse
import asyncio
import json
import os
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

MODEL = "loopback"
# a prompt of about 300 characters, other for each request
TEXT = "Which of these is right, and why? " * 9


def list_texts(count: int) -> Iterator[str]:
    return (f"{number}. {TEXT}" for number in range(count))


def ask_ours(count: int, in_flight: int) -> int:
    """By `Assistant.stream`, with the response store on."""
    from feedback_lens.calls.assistant import open_assistant
    from feedback_lens.calls.request import Sampling, ask_user

    recorded = Path(os.environ["FEEDBACK_LENS_STORE"]).parent
    assistant = open_assistant("benchmark", MODEL, recorded)
    sampling = Sampling(temperature=0.0, max_tokens=100)
    requests = (ask_user(MODEL, text, sampling) for text in list_texts(count))
    return sum(response.outcome == "answered" for _, response in assistant.stream(requests))


def ask_openai(count: int, in_flight: int) -> int:
    """By the openai package's `chat.completions.create`, without a store."""
    import openai

    async def run() -> int:
        async with openai.AsyncOpenAI() as client:

            async def ask(text: str) -> None:
                await client.chat.completions.create(**make_body(text))

            return await run_workers(ask, count, in_flight)

    return asyncio.run(run())


def ask_aiohttp(count: int, in_flight: int) -> int:
    """By bare aiohttp, without a store, retries or checks: the least there is to do."""
    import aiohttp

    async def run() -> int:
        headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
        url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def ask(text: str) -> None:
                async with session.post(url, json=make_body(text)) as reply:
                    await reply.json()

            return await run_workers(ask, count, in_flight)

    return asyncio.run(run())


async def run_workers(ask: Callable[[str], Awaitable[None]], count: int, in_flight: int) -> int:
    texts = list_texts(count)

    async def work() -> None:
        for text in texts:
            await ask(text)

    await asyncio.gather(*[work() for _ in range(in_flight)])
    return count


def make_body(text: str) -> dict[str, Any]:
    message = {"role": "user", "content": text}
    return {"model": MODEL, "messages": [message], "temperature": 0.0, "max_tokens": 100}


def read_resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


WAYS = {"ours": ask_ours, "openai": ask_openai, "aiohttp": ask_aiohttp}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    arguments = parser.parse_args()
    import aiohttp  # noqa: F401  # what an idle process of each way has loaded
    import openai  # noqa: F401

    import feedback_lens.calls.assistant
    import feedback_lens.calls.endpoint  # noqa: F401

    idle, began = read_resident_mb(), time.time()
    answers = WAYS[arguments.way](arguments.requests, arguments.in_flight)
    result = {
        "began": began,
        "finished": time.time(),
        "answers": answers,
        "cpu_seconds": time.process_time(),
        "idle_mb": idle,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
