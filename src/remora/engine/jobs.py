"""Jobs: work the session hands to a parked thread, with a time-out and a way to interrupt it.

Interrupting means an asynchronous exception (`PyThreadState_SetAsyncExc`), which lands at some later bytecode
of the thread. It must never land outside the work, so each job has one token: whoever wants to interrupt
takes it first, and the thread that runs the job takes it when the work is over. If it finds the token gone it
waits until whoever took it has sent the exception, and clears it. `list.pop` is atomic, so there is no lock
that an asynchronous exception could leave held.
"""

from __future__ import annotations

import _thread
import sys
import time

from . import background
from .monitoring import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar

    T = TypeVar("T")
else:
    T = None

    class Generic:
        """`typing` is too dear for the debuggee; `Job[T]` exists for the type checker."""

        def __class_getitem__(cls, item: object) -> type:
            return cls


_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident
_get_native_id = _thread.get_native_id
_now_s = time.monotonic
_sleep = time.sleep  # kept: a program may replace time.sleep


# Of exceptions raised while others were handled: what our own code adds is less.
MAX_CHAIN = 16


class Interrupted(BaseException):
    """Raised inside a job's work when its time is up or it was cancelled."""


def _send(ident: int, exception: type[BaseException] | None) -> None:
    import ctypes  # dear, and needed only when somebody does interrupt

    target = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), target)


class Job(Generic[T]):
    """One piece of work. `result`, or `error` (what the work raised), is set when `done` is called."""

    __slots__ = (
        "_cancelled",
        "_done",
        "_ident",
        "_sent",
        "_token",
        "_work",
        "error",
        "result",
        "thread_id",
        "timeout_s",
    )

    def __init__(
        self, thread_id: int, work: Callable[[], T], done: Callable[[Job[T]], None], timeout_s: float | None
    ) -> None:
        self.thread_id = thread_id
        self.timeout_s = timeout_s
        self.result: T | None = None
        self.error: BaseException | None = None
        self._work = work
        self._done = done
        self._ident: int | None = None
        self._token: list[None] = []  # holds one item exactly while the work may be interrupted
        self._cancelled = False
        self._sent = False  # set by the one who took the token to interrupt

    @property
    def is_begun(self) -> bool:
        """Whether `run` has got as far as taking its thread; `done` is called from then on."""
        return self._ident is not None

    def struck_by(self) -> BaseException | None:
        """Return what a signal handler of the program has raised in work that nobody wanted any more."""
        error = self.error if self._cancelled else None
        for _ in range(MAX_CHAIN):
            if error is None or isinstance(error, (KeyboardInterrupt, SystemExit)):
                return error
            error = error.__context__
        return None

    def cancel(self) -> None:
        """Interrupt the work, or keep it from starting. `done` still runs, with `error` an Interrupted.

        Work that sits in C code (a sleep, a read) ends only when it comes back to Python.
        """
        self._cancelled = True
        self._interrupt()

    def _interrupt(self) -> None:
        try:
            self._token.pop()
        except IndexError:
            return  # not begun, over already, or interrupted before
        assert self._ident is not None
        try:
            _send(self._ident, Interrupted)
        finally:
            self._sent = True

    def run(self) -> None:
        """Do the work on this thread, then call `done`. Raises nothing of the work's."""
        self._ident = _get_ident()
        try:
            self._token.append(None)
            if self.timeout_s is not None:
                watcher.watch(self, self.timeout_s)
            if self._cancelled:
                raise Interrupted("cancelled before it began")
            self.result = self._work()
        except BaseException as error:  # boundary: user code; even SystemExit ends only the job
            self.error = error
        while True:
            try:
                self._settle()
                break
            except Interrupted:
                continue  # it landed after the work; nothing more can come
        watcher.forget(self)
        try:
            self._done(self)
        except Exception as error:  # boundary: the session's code, on a thread of the program
            errors.note(error)

    def _settle(self) -> None:
        """Make sure that no Interrupted is under way to this thread any more."""
        try:
            self._token.pop()
            return
        except IndexError:
            pass
        while not self._sent:
            _sleep(0.0002)
        assert self._ident is not None
        _send(self._ident, None)


def _release(wake: _thread.LockType) -> None:
    try:
        wake.release()
    except RuntimeError:
        return  # it has been roused already, and will look


class Watcher:
    """Interrupts jobs whose time is up. Its thread starts with the first job that has a limit.

    It sleeps until the nearest deadline it knows of, and for good when it knows of none: jobs that end in
    time do not wake it, so a quiet process has no wake-ups. Each thread has a lock of its own to sleep on:
    one that has been told to end is never mistaken for the next.
    """

    def __init__(self) -> None:
        # Told the ident, so that it counts as our own; and no more: the system gives it to another thread.
        self.started: Callable[[int], None] | None = None
        self.ended: Callable[[int], None] | None = None
        background.enders.append(self._end)
        self._jobs: dict[Job[Any], float] = {}
        self._begin()

    def _begin(self) -> None:
        self.ident: int | None = None
        self._native_id = 0
        self._is_ending = False  # when no job is left
        self._wake = _allocate_lock()
        self._wake.acquire()
        self._waits_until = 0.0  # 0: it is awake and will look again; inf: for good

    def watch(self, job: Job[Any], timeout_s: float) -> None:
        """Interrupt `job` unless it is forgotten within `timeout_s`. Any thread."""
        self.again()
        deadline = _now_s() + timeout_s
        self._jobs[job] = deadline
        if self.ident is None:
            self.ident = -1
            wake, known = self._wake, _allocate_lock()
            known.acquire()
            try:
                started = background.start(lambda: self._run(wake, known))
            except RuntimeError:  # no thread to be had now; the next job may have more luck
                self.ident = None
                raise
            self.ident = started
            known.acquire()
        elif deadline < self._waits_until:
            _release(self._wake)

    def forget(self, job: Job[Any]) -> None:
        self._jobs.pop(job, None)
        if self._is_ending:
            _release(self._wake)

    def forked(self) -> None:
        """In a forked child there is no such thread."""
        self._jobs = {}
        self._begin()

    def rest(self, timeout_s: float) -> None:
        """End the thread until there is need of it: the process forks. Any other thread."""
        if self.ident is None or self._jobs:
            return
        self._end()
        deadline = _now_s() + timeout_s
        while background.exists(self._native_id) and _now_s() < deadline:
            _sleep(0.00002)

    def again(self) -> None:
        """After an end that was not the last one: there may be jobs again."""
        if self._is_ending:
            before = self._wake
            self._begin()
            _release(before)

    def _end(self) -> None:
        wake = self._wake
        self._is_ending = True
        _release(wake)

    def _run(self, wake: _thread.LockType, known: _thread.LockType) -> None:
        ident = _get_ident()
        self._native_id = _get_native_id()
        if self.started is not None:
            self.started(ident)
        known.release()
        try:
            self._watch_until_told(wake)
        finally:
            if self.ended is not None:
                self.ended(ident)

    def _watch_until_told(self, wake: _thread.LockType) -> None:
        while self._wake is wake and not ((self._is_ending and not self._jobs) or sys.is_finalizing()):
            self._waits_until = 0.0
            now = _now_s()
            nearest = float("inf")
            for job, deadline in list(self._jobs.items()):
                if deadline <= now:
                    self._jobs.pop(job, None)
                    job._interrupt()
                else:
                    nearest = min(nearest, deadline)
            self._waits_until = nearest
            if any(deadline < nearest for deadline in list(self._jobs.values())):
                continue
            wake.acquire(True, nearest - now if nearest < 1e9 + now else -1)


watcher = Watcher()
