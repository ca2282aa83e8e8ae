"""How often one breakpoint may speak: so many times in all, so many times in an interval.

What is over the rate is left out and counted; from COUNTED on within one interval the breakpoint falls
silent: its line is switched off and costs nothing until the interval is over. Who ends an interval is the
listener (`Engine.next_interval`): the engine has no clock that ticks.

Any thread; `_lock` guards all of it, and nothing runs under it. CPython sends no events from inside a
callback, so no thread can come here twice.
"""

from __future__ import annotations

import _thread

_allocate_lock = _thread.allocate_lock  # kept: gevent puts another into the module

# Counting what is left out costs the program a callback a visit: 1,000 are some 0.3 ms of an interval.
COUNTED = 1000

# Verdicts.
TAKEN = "taken"
LEFT_OUT = "left out"
SILENT = "silent"


class Quota:
    """What one breakpoint has left to say."""

    __slots__ = (
        "_begun_s",
        "_count",
        "_in_interval",
        "_left_out",
        "_limit",
        "_lock",
        "_news",
        "_taken",
        "interval_s",
    )

    def __init__(self, limit: int | None, rate: tuple[int, float] | None) -> None:
        self._limit = limit
        self._count: int | None = None
        self.interval_s = 1.0
        if rate is not None:
            self._count, self.interval_s = rate
        self._lock = _allocate_lock()
        self._taken = 0
        self._in_interval = 0
        self._begun_s = float("-inf")
        self._left_out = 0
        self._news = False

    @property
    def is_over(self) -> bool:
        """Whether it has said all it may, for good."""
        return self._limit is not None and self._taken >= self._limit

    def take(self, now_s: float) -> str:
        """Ask to speak, at this time."""
        with self._lock:
            if self._limit is not None and self._taken >= self._limit:
                return SILENT
            if self._count is not None:
                if now_s - self._begun_s >= self.interval_s and not self._left_out:
                    self._begun_s = now_s
                    self._in_interval = 0
                if self._in_interval >= self._count:
                    self._news = self._news or not self._left_out
                    self._left_out += 1
                    return SILENT if self._left_out >= COUNTED else LEFT_OUT
                self._in_interval += 1
            self._taken += 1
            return TAKEN

    def is_news(self) -> bool:
        """Say whether something was left out for the first time in this interval; once."""
        with self._lock:
            news, self._news = self._news, False
            return news

    def next_interval(self, now_s: float) -> tuple[int, bool]:
        """Begin a new interval: how much the last one has left out, and whether there was more, uncounted."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
            self._in_interval = 0
            self._begun_s = now_s
            return left_out, left_out >= COUNTED
