"""How many requests per second a sample service takes, averaged over the last seconds."""

import threading
from collections import deque
from collections.abc import Callable

WINDOW_MS = 5_000


class LoadMeter:
    """Counts requests. For several threads.

    Args:
        now_ms: A clock that does not go back, in milliseconds.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._began_ms = now_ms()
        self._at_ms: deque[int] = deque()
        self._lock = threading.Lock()

    def count(self) -> None:
        """Note one request."""
        with self._lock:
            self._at_ms.append(self._now_ms())
            self._drop()

    def load(self) -> dict[str, object]:
        """Return what the agent asks for; null until a whole window has passed."""
        with self._lock:
            self._drop()
            if self._now_ms() - self._began_ms < WINDOW_MS:
                return {"load_rps": None}
            return {"load_rps": round(len(self._at_ms) * 1_000 / WINDOW_MS, 1)}

    def _drop(self) -> None:
        oldest_ms = self._now_ms() - WINDOW_MS
        while self._at_ms and self._at_ms[0] < oldest_ms:
            self._at_ms.popleft()
