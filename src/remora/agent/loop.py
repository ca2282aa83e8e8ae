"""The agent thread: one blocking poll over sockets and a wake-up descriptor.

* The thread is started with `_thread`, not `threading`: it is not in the program's
  `threading.enumerate()`, runs none of the hooks set with `threading.settrace/setprofile`, and the
  interpreter does not wait for it at exit. Nothing run here may call `threading.current_thread()`,
  which would make the program see a dummy thread.
* Time-outs exist only while something runs that has one: an idle agent wakes 0 times per second.
* `watch`, `change` and `unwatch` are for the agent thread (or before `start`); `soon` and `wake` for any.

Descriptors may vanish under us (a program that daemonises closes them all) and their numbers become the
program's own files. Then owners are told LOST: they forget the number, and never read, write or close it. Who
uses a number asks `identity` first.
"""

from __future__ import annotations

import _thread
import os
import select
import time

from remora.agent.log import log, log_exception
from remora.agent.turns import Turns

# Kept: gevent puts others into the module.
_allocate_lock = _thread.allocate_lock
_start_new_thread = _thread.start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
else:
    from _collections import deque  # the module `collections` is 4 ms of a child's start

READ = select.POLLIN
WRITE = select.POLLOUT
LOST = select.POLLNVAL

# Kept: programs patch these, tests with fake file systems above all.
_close, _fstat, _pipe, _read, _set_blocking, _write = (
    os.close, os.fstat, os.pipe, os.read, os.set_blocking, os.write
)  # fmt: skip
new_poll = select.poll
_get_ident = _thread.get_ident
_get_native_id = _thread.get_native_id
_monotonic = time.monotonic
_sleep = time.sleep
_stat = os.stat
_NEVER = float("inf")
# Where descriptors of ours begin: above 0 once the program has closed all it had, ours among them. Such a
# program (a daemon) counts on the lowest numbers being free.
lowest_fd = 0
# A limit of processes or threads is reached: the one we have just ended may be given to us again in a moment.
STARTS, AGAIN_S = 5, 0.002


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
        "_ended",
        "_poll",
        "_resting",
        "_rests",
        "_running",
        "_soon",
        "_state",
        "_timers",
        "_wake_fd",
        "_wake_identity",
        "_wake_sent",
        "_wake_write_fd",
        "_watched",
        "flushers",
        "ident",
        "native_id",
        "on_start",
        "turns",
    )

    def __init__(self) -> None:
        self._poll = new_poll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._timers: list[Timer] = []
        self._make_wake()
        self._wake_sent = False
        self._running = True
        self._ended = False  # the thread has run, and runs no more
        self._state = _allocate_lock()  # guards the next two
        self._resting = False  # the thread is to end, and to be started again
        self._rests = False  # it has ended for that
        self.flushers: list[Callable[[], None]] = []  # called after each wake-up
        self.ident = 0  # of the agent thread, once it runs
        self.native_id = 0
        # Called on the agent thread each time one begins, with its ident and that of the one before it.
        self.on_start: Callable[[int, int], None] = _nothing
        self.turns = Turns()

    def _make_wake(self) -> None:
        self._wake_fd, self._wake_write_fd = _wake_pair()
        self._wake_identity = identity(self._wake_fd)
        self._poll.register(self._wake_fd, READ)

    def _close_wake(self) -> None:
        for fd in (self._wake_fd, self._wake_write_fd):
            try:
                if identity(fd) == self._wake_identity:
                    _close(fd)
            except OSError as error:
                log_exception("close", error)

    def start(self) -> None:
        self.ident = _start_new_thread(self._run, ())

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
        if self._ended:
            self._do_soon()  # there is no other thread any more
        else:
            self.wake()

    def wake(self) -> None:
        """Make the thread look at `soon` and call the flushers now.

        A wake-up that is already under way is not sent twice.
        """
        if not self._wake_sent:
            try:
                self._wake_sent = True
                # A program that daemonises closes all descriptors; the number may be its own file's by now.
                if identity(self._wake_write_fd) == self._wake_identity:
                    _write(self._wake_write_fd, b"\0")
            except OSError as error:
                log_exception("wake-up", error)
            except BaseException:  # a signal handler raised, and who knows whether it was sent
                self._wake_sent = False
                raise

    def stop(self) -> None:
        """Let the thread end. Descriptors it watched stay open: they are their owners'."""
        self._running = False
        self._wake_sent = False
        self.wake()

    def rest(self, timeout_s: float) -> None:
        """End the thread until `go_on`, so that the process forks without it. Any other thread.

        Returns when the kernel counts it no more, or after the time-out: then it is busy, and rests when it
        is done, unless `go_on` comes first.
        """
        if not self.ident or self._ended or self.is_current():
            return
        with self._state:
            self._resting = True
            self._wake_sent = False
        deadline = _monotonic() + timeout_s
        self.wake()
        while not (self._rests or self._ended) or exists(f"/proc/self/task/{self.native_id}"):
            if _monotonic() > deadline:
                log("the agent thread is busy: forking beside it")
                return
            _sleep(0.00002)

    def go_on(self) -> None:
        """Let the thread run again after `rest`. Any other thread.

        RuntimeError: the system gives no thread; the loop has ended then, and the caller does what is `soon`.
        """
        with self._state:
            rested, self._resting, self._rests = self._rests, False, False
        if not rested:
            return
        for _ in range(STARTS):
            try:
                self.start()
                return
            except RuntimeError as error:
                log_exception("starting the agent thread again", error)
                _sleep(AGAIN_S)
        self._ended = True
        raise RuntimeError("there is no thread to be had")

    def _take_a_rest(self) -> bool:
        with self._state:
            self._rests = self._resting
            return self._rests

    def abandon(self) -> None:
        """After fork, in the child: there is no agent thread; close what was its own."""
        self._running = False
        self._close_wake()

    def _run(self) -> None:
        before, self.ident = self.ident, _get_ident()
        self.native_id = _get_native_id()
        self.on_start(self.ident, before)
        poll = self._poll.poll
        rests = False
        try:
            while self._running:
                if self._resting and self._take_a_rest():
                    rests = True
                    return
                woken = 0
                for fd, events in poll(self._until_timer() if self._timers else None):
                    if fd == self._wake_fd:
                        # Last: if the program has closed all descriptors, a new one of ours may get the
                        # number of a socket that is lost too, and must be forgotten first.
                        woken = events
                        continue
                    ready = self._watched.get(fd)
                    if ready is None:
                        continue
                    try:
                        with self.turns:
                            ready(events)
                    except Exception as error:
                        log_exception("agent loop", error)
                if woken:
                    self._woken(woken)
        except BaseException as error:
            log_exception("agent thread ends", error)
            if self._running:
                raise
        finally:
            if not rests:
                log("agent thread ends")
                self._ended = True
        self._do_soon()
        self._close_wake()

    def _woken(self, events: int) -> None:
        if events & ~READ or not self._wake_is_ours():
            self._lose_all()
        else:
            try:
                _read(self._wake_fd, 4096)
            except OSError as error:
                log_exception("wake-up", error)
        # Cleared before looking: whoever appends from now on sends a wake-up of its own. The lock keeps the
        # two in this order where threads run at the same time (free-threaded builds).
        with self._state:
            self._wake_sent = False
        self._do_soon()
        for flush in tuple(self.flushers):
            try:
                flush()
            except Exception as error:
                log_exception("agent loop", error)

    def _wake_is_ours(self) -> bool:
        try:
            return identity(self._wake_fd) == self._wake_identity
        except OSError:
            return False

    def _do_soon(self) -> None:
        while self._soon:
            try:
                call = self._soon.popleft()
            except IndexError:
                return  # another thread does it
            try:
                call()
            except Exception as error:
                log_exception("agent loop", error)

    def _lose_all(self) -> None:
        """The program has closed our descriptors: their owners forget them.

        If none is left, nobody can reach this process any more and the thread ends. A new wake-up would take
        numbers that a daemon, which has closed everything, expects to get itself.
        """
        log("the program closed our descriptors")
        self._poll.unregister(self._wake_fd)
        for ready in tuple(self._watched.values()):
            try:
                ready(LOST)
            except Exception as error:
                log_exception("agent loop", error)
        if self._watched:
            self._make_wake()
        else:
            self._running = False


def _nothing(ident: int, before: int) -> None:
    pass


def exists(path: str) -> bool:
    try:
        _stat(path)
    except OSError:
        return False
    return True


def identity(fd: int) -> tuple[int, int]:
    """Tell the file behind a descriptor, as long as it is open. OSError if it is closed."""
    status = _fstat(fd)
    return status.st_dev, status.st_ino


def out_of_the_way(fd: int) -> int:
    """Give a descriptor of ours a number no program counts on, if this program counts on any."""
    if not lowest_fd:
        return fd
    import fcntl  # late: few programs are like that

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest_fd)
    finally:
        _close(fd)


def _wake_pair() -> tuple[int, int]:
    # A pipe, not an eventfd: if the program closes both ends, poll says so at once.
    read_fd, write_fd = map(out_of_the_way, _pipe())
    _set_blocking(read_fd, False)
    _set_blocking(write_fd, False)
    return read_fd, write_fd
