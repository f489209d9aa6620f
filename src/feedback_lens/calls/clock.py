import asyncio
from collections.abc import Awaitable, Generator
from typing import Any


class PausingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while it does not run.

    Whoever takes answers may be slow; the requests in flight must not time out for that.
    """

    _stood = 0.0
    _left: float | None = None

    def time(self) -> float:
        """Seconds on the loop's clock, which its timers go by."""
        return super().time() - self._stood

    def run_until_complete(self, future: Generator[Any, None, Any] | Awaitable[Any]) -> Any:
        """Run until the future is done."""
        if self._left is not None:
            self._stood += self.time() - self._left
        try:
            return super().run_until_complete(future)
        finally:
            self._left = self.time()
