"""An event loop that wakes on time, so that a latency of 20 ms is not one of 21."""

import asyncio
import select
import selectors
from collections.abc import Coroutine
from typing import Any


class ExactSelector(selectors.EpollSelector):
    """Waits to the microsecond, where epoll itself waits whole milliseconds, rounded up."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready, after a timeout in seconds at most."""
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(ExactSelector())) as runner:
        runner.run(main)
