"""The agent thread: one blocking poll over sockets and a wake-up descriptor.

* The thread is started with `_thread`, not `threading`: it is not in the program's
  `threading.enumerate()`, runs none of the hooks set with `threading.settrace/setprofile`, and the
  interpreter does not wait for it at exit. Nothing run here may call `threading.current_thread()`,
  which would make the program see a dummy thread.
* Time-outs exist only while something runs that has one: an idle agent wakes 0 times per second.
* `watch`, `change` and `unwatch` are for the agent thread (or before `start`); `soon` and `wake` for any.

A descriptor may vanish under us (a program that daemonises closes them all): then poll says POLLNVAL,
and its owner is told like of any other hang-up.
"""

from __future__ import annotations

import _thread
import os
import select
import time
from collections import deque

from remora.agent.log import log, log_exception

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.POLLIN
WRITE = select.POLLOUT
LOST = select.POLLNVAL

_get_ident = _thread.get_ident
_monotonic = time.monotonic
_NEVER = float("inf")


class Timer:
    """Something to do at a time; `cancel` from any thread, before or after."""

    __slots__ = ("call", "deadline")

    def __init__(self, deadline: float, call: Callable[[], None]) -> None:
        self.deadline = deadline
        self.call = call

    def cancel(self) -> None:
        self.deadline = _NEVER


class Loop:
    """Calls back on the agent thread when a descriptor is ready or a callable is handed over."""

    __slots__ = (
        "_poll",
        "_running",
        "_soon",
        "_timers",
        "_wake_fd",
        "_wake_sent",
        "_wake_write_fd",
        "_watched",
        "flushers",
        "ident",
    )

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._timers: list[Timer] = []
        self._wake_fd, self._wake_write_fd = _wake_pair()
        self._wake_sent = False
        self._running = True
        self.flushers: list[Callable[[], None]] = []  # called after each wake-up
        self.ident = 0  # of the agent thread, once it runs
        self._poll.register(self._wake_fd, READ)

    def start(self) -> None:
        self.ident = _thread.start_new_thread(self._run, ())

    def is_current(self) -> bool:
        """Say whether the caller is the agent thread."""
        return _get_ident() == self.ident

    def watch(self, fd: int, events: int, ready: Callable[[int], None]) -> None:
        self._watched[fd] = ready
        self._poll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        if fd in self._watched:
            self._poll.modify(fd, events)

    def unwatch(self, fd: int) -> None:
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Run `call` on the agent thread in so many seconds, unless cancelled. On the agent thread."""
        timer = Timer(_monotonic() + seconds, call)
        self._timers.append(timer)
        return timer

    def _until_timer(self) -> float | None:
        """Run the timers that are due; return the milliseconds until the next one, None for never."""
        now = _monotonic()
        for timer in self._timers[:]:
            if timer.deadline <= now:
                self._timers.remove(timer)
                try:
                    timer.call()
                except Exception as error:
                    log_exception("timer", error)
        self._timers = [timer for timer in self._timers if timer.deadline < _NEVER]
        if not self._timers:
            return None
        return max(0.0, min(timer.deadline for timer in self._timers) - now) * 1000 + 1

    def soon(self, call: Callable[[], None]) -> None:
        """Run `call` on the agent thread, in order with the others handed over."""
        self._soon.append(call)
        self.wake()

    def wake(self) -> None:
        """Make the thread look at `soon` and call the flushers now.

        A wake-up that is already under way is not sent twice.
        """
        if not self._wake_sent:
            self._wake_sent = True
            _write_wake(self._wake_write_fd)

    def stop(self) -> None:
        """Let the thread end. Descriptors it watched stay open: they are their owners'."""
        self._running = False
        self._wake_sent = False
        self.wake()

    def abandon(self) -> None:
        """After fork, in the child: there is no agent thread; close what was its own."""
        self._running = False
        _close_wake(self._wake_fd, self._wake_write_fd)

    def _run(self) -> None:
        self.ident = _get_ident()
        poll = self._poll.poll
        try:
            while self._running:
                for fd, events in poll(self._until_timer() if self._timers else None):
                    if fd == self._wake_fd:
                        self._woken(events)
                        continue
                    ready = self._watched.get(fd)
                    if ready is None:
                        continue
                    try:
                        ready(events)
                    except Exception as error:
                        log_exception("agent loop", error)
        except BaseException as error:
            log_exception("agent thread ends", error)
            if self._running:
                raise
        finally:
            log("agent thread ends")
        _close_wake(self._wake_fd, self._wake_write_fd)

    def _woken(self, events: int) -> None:
        if events & LOST:
            # The program closed it. Without a wake-up the thread would be deaf: take a new one.
            self._poll.unregister(self._wake_fd)
            self._wake_fd, self._wake_write_fd = _wake_pair()
            self._poll.register(self._wake_fd, READ)
        else:
            _read_wake(self._wake_fd)
        # Cleared before looking: whoever appends from now on sends a wake-up of its own.
        self._wake_sent = False
        while self._soon:
            call = self._soon.popleft()
            try:
                call()
            except Exception as error:
                log_exception("agent loop", error)
        for flush in tuple(self.flushers):
            try:
                flush()
            except Exception as error:
                log_exception("agent loop", error)


if hasattr(os, "eventfd"):

    def _wake_pair() -> tuple[int, int]:
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return fd, fd

    def _close_wake(read_fd: int, write_fd: int) -> None:
        _close(read_fd)

    def _write_wake(fd: int) -> None:
        try:
            os.eventfd_write(fd, 1)
        except OSError as error:
            log_exception("wake-up", error)

    def _read_wake(fd: int) -> None:
        try:
            os.eventfd_read(fd)
        except OSError as error:
            log_exception("wake-up", error)

else:

    def _wake_pair() -> tuple[int, int]:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        return read_fd, write_fd

    def _close_wake(read_fd: int, write_fd: int) -> None:
        _close(read_fd)
        _close(write_fd)

    def _write_wake(fd: int) -> None:
        try:
            os.write(fd, b"\0")
        except OSError as error:
            log_exception("wake-up", error)

    def _read_wake(fd: int) -> None:
        try:
            os.read(fd, 4096)
        except OSError as error:
            log_exception("wake-up", error)


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError as error:
        log_exception("close", error)
