"""Stopping: all threads stop, each parks inside a callback, runs jobs there, and goes on when told.

How the others are made to stop: first every event that any Python code must run into (`SWEEP`) is switched on
for all code, which also reaches frames that are running. Threads that sit in C code do not run into anything;
so that our own thread need not wade through these events while it answers the client, the sweep ends after
`SETTLE_S`, and what is left is local events on the frames of those threads, and the start of any function.

Locks: `lock` guards the state here and in `stepping`; it is reentrant because a finalizer of the program may
run, and call back, anywhere. It is never held while a thread is parked, nor while the listener is called.
"""

from __future__ import annotations

import _thread
import sys
import time

from .frames import current_frames, is_subinterpreter
from .jobs import Interrupted, Job
from .monitoring import BRANCH, JUMP, LINE, PY_RESUME, PY_START, Passing, errors
from .stops import Stop, StopReason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from .follower import FollowerEvents
    from .stops import Listener
    from .threads import Threads

_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident
_now_s = time.monotonic
_is_finalizing = sys.is_finalizing

_OURS = __file__.rpartition("/engine/")[0] + "/"  # the package
SWEEP = PY_START | PY_RESUME | LINE | JUMP | BRANCH
SETTLE_S = 0.02  # four switch intervals: every thread that can run has run
PAUSE_PATIENCE_S = 0.004  # a thread that runs Python parks sooner (measured 0.2 ms); else it sits in C


class Parked:
    """A thread that stands still, and what it is given to do meanwhile."""

    __slots__ = (
        "at_line",
        "frame",
        "frames",
        "ident",
        "is_released",
        "jobs",
        "pending",
        "post_mortem",
        "stop",
        "thread_id",
        "wake",
    )

    def __init__(
        self, thread_id: int, ident: int, frame: FrameType, stop: Stop | None, *, at_line: bool
    ) -> None:
        self.thread_id = thread_id
        self.ident = ident
        self.frame = frame
        self.stop = stop
        self.at_line = at_line  # inside a LINE callback: the only place where CPython lets one jump
        self.frames: list[tuple[FrameType, int, int | None]] | None = None  # made when the stack is asked for
        self.post_mortem: list[tuple[FrameType, int, int | None]] | None = None
        self.jobs: list[Job[Any]] = []
        self.pending: BaseException | None = None  # what a signal handler raised meanwhile
        self.is_released = False
        self.wake = _allocate_lock()
        self.wake.acquire()

    def rouse(self) -> None:
        try:
            self.wake.release()
        except RuntimeError:
            return  # it has been roused already, and will look


class World:
    """Which threads stand and which run."""

    def __init__(self, listener: Listener, threads: Threads, events: FollowerEvents) -> None:
        self.lock = _thread.RLock()
        self.is_stopped = False
        # Threads of other interpreters may come in at any time, when all of ours stand or there is none.
        self._may_be_entered = is_subinterpreter()
        self.is_open = False  # between attach and detach
        self.parked: dict[int, Parked] = {}  # by ident
        self._free: set[int] = set()  # idents that run while the others stay: resumed alone, or born in a job
        # One thread steps while all others stand. The client may take these for running, and pause one.
        self._steps_alone = False
        self._present: set[int] = set()  # idents there were when all were stopped
        self._born: set[int] = set()  # idents of threads that jobs have started since
        self._working: set[int] = set()  # idents of threads that run a job
        self._stops: dict[int, Stop] = {}  # by ident: stops told of threads that have not parked yet
        self._is_resuming = False  # who stops now is told of when the listener has heard of the resumption
        self._pausing: int | None = None  # ident of the thread a pause is about, until it is told
        self._swept_at = 0.0
        self._halted: list[CodeType] = []
        self._listener = listener
        self._threads = threads
        self._events = events
        self.skip_once: dict[int, tuple[FrameType, int]] = {}  # by ident: a place just jumped to
        self.on_stop: Callable[[], None] = lambda: None  # steps end at any stop; called with the lock held
        self.is_hidden: Callable[[FrameType], bool] = lambda frame: False

    # on the program's threads

    def stop_here(
        self,
        frame: FrameType,
        stop: Stop,
        *,
        at_line: bool,
        post_mortem: list[tuple[FrameType, int, int | None]] | None = None,
    ) -> None:
        """Stop this thread for a reason of its own, and all others with it. Returns when resumed."""
        ident = _get_ident()
        if _is_finalizing() or ident in self._threads.own or self._owns_lock():
            return
        if ident in self._born and self.is_stopped:
            return  # what is run from a stop is not debugged
        if at_line and self.skip_once:
            place = self.skip_once.pop(ident, None)
            if place is not None and place[0] is frame and place[1] == frame.f_lasti:
                return
        parked = Parked(stop.thread_id, ident, frame, stop, at_line=at_line)
        parked.post_mortem = post_mortem
        try:
            with self.lock:
                if not self.is_open:
                    return
                self._free.discard(ident)
                self._stops.pop(ident, None)
                if self._pausing == ident:
                    self._pausing = None
                self.parked[ident] = parked
                self.on_stop()
                if not self.is_stopped:
                    self.is_stopped = True
                    self._halt_others(ident)
                is_later = self._is_resuming
            if not is_later:
                self._tell(stop)
        except BaseException as error:  # boundary: a signal handler of the program
            parked.pending = error
        self._stand(parked)

    def halt_here(self, frame: FrameType, *, at_line: bool) -> None:
        """This thread has run into an event while all should stand: park, unless it is free or our own."""
        ident = _get_ident()
        if ident in self._threads.own or ident in self._free or _is_finalizing() or self.is_hidden(frame):
            return
        if self._owns_lock():
            return
        if self._working and ident not in self._present:
            # An evaluation has started this thread, and waits for it at least until it has begun.
            with self.lock:
                if self.is_stopped:
                    self._born.add(ident)
                    self._free.add(ident)
            return
        number = self._threads.id_of(ident)
        parked = Parked(number, ident, frame, None, at_line=at_line)
        try:
            with self.lock:
                if not self.is_stopped or ident in self.parked:
                    return
                parked.stop = self._stops.pop(ident, None)
                is_told = self._pausing != ident
                if not is_told:
                    self._pausing = None
                    parked.stop = Stop(number, StopReason.PAUSE, "Paused")
                self.parked[ident] = parked
            if parked.stop is not None and not is_told:
                self._tell(parked.stop)
        except BaseException as error:  # boundary: a signal handler of the program
            parked.pending = error
        self._stand(parked)

    def _owns_lock(self) -> bool:
        """Whether a finalizer runs here, inside a call into the engine: parked, it would keep the lock."""
        is_owned: bool = self.lock._is_owned()  # type: ignore[attr-defined]
        return is_owned

    def _tell(self, stop: Stop) -> None:
        try:
            self._listener.stopped(stop)
        except Exception as error:  # boundary: the listener must not raise
            errors.note(error)

    def _stand(self, parked: Parked) -> None:
        """Stand until released. What a signal handler of the program raises here is passed on after that.

        Signals come between any two bytecodes, so all that can be is inside a `try`.
        """
        while True:
            try:
                if self.parked.get(parked.ident) is not parked and not parked.is_released:
                    break  # the signal came before the thread was entered as standing
                self._work_until_released(parked)
                break
            except BaseException as error:  # boundary: a signal handler of the program
                parked.pending = error
        if parked.pending is not None:
            raise Passing(_without_us(parked.pending))

    def _work_until_released(self, parked: Parked) -> None:
        wake = parked.wake
        while True:
            is_released = parked.is_released  # asked first: after it nothing is submitted any more
            self._do_jobs(parked)
            if is_released:
                return
            if self._swept_at:
                left = self._swept_at + SETTLE_S - _now_s()
                if left <= 0:
                    self._settle()
                    continue
                wake.acquire(True, left)
            else:
                wake.acquire()

    def _do_jobs(self, parked: Parked) -> None:
        """Run the jobs that wait; once released, call them off. Each stays in the list until it has begun."""
        jobs = parked.jobs
        while jobs:
            job = jobs[0]
            if job.is_begun:
                jobs.pop(0)
                continue
            if parked.is_released:
                job.cancel()
            self.work(job)
            parked.pending = job.struck_by() or parked.pending

    def work(self, job: Job[Any]) -> None:
        """Run a job on the calling thread; what it starts may run while all others stand."""
        ident = _get_ident()
        self._working.add(ident)
        try:
            job.run()
        finally:
            self._working.discard(ident)

    # making the others stop

    def _halt_others(self, *standing: int) -> None:
        self._present = set(current_frames())
        if self._may_be_entered or any(
            ident not in self._threads.own and ident not in standing for ident in current_frames()
        ):
            self._events.want("halt", SWEEP)
            self._swept_at = _now_s()

    def _settle(self) -> None:
        with self.lock:
            if not self._swept_at or not self.is_stopped:
                self._swept_at = 0.0
                return
            self._swept_at = 0.0
            standing = self.parked.keys() | self._threads.own | self._free
            seen = set()
            is_needed = self._may_be_entered
            for ident, top in current_frames().items():
                if ident in standing:
                    continue
                is_needed = True
                frame: FrameType | None = top
                while frame is not None:
                    code = frame.f_code
                    if id(code) not in seen:
                        seen.add(id(code))
                        self._halted.append(code)
                        self._events.want_local("halt", code, LINE | JUMP | BRANCH)
                    frame = frame.f_back
            self._events.want("halt", PY_START | PY_RESUME if is_needed else 0)

    def _let_go(self) -> None:
        self._swept_at = 0.0
        self._events.want("halt", 0)
        for code in self._halted:
            self._events.want_local("halt", code, 0)
        self._halted.clear()

    # on the agent's thread

    def pause(self, ident: int, thread_id: int) -> None:
        """Stop all threads; the stop is told of this one, whether it runs Python or sits in C."""
        with self.lock:
            if not self.is_open:
                return
            if self.is_stopped and ident not in self._free and not self._steps_alone:
                return
            self._steps_alone = False
            self._free.clear()
            self._pausing = ident
            self.is_stopped = True
            self.on_stop()
            self._halt_others(_get_ident(), *self.parked)
            for parked in self.parked.values():
                parked.rouse()  # one of them has to end the sweep
        deadline = _now_s() + PAUSE_PATIENCE_S
        waiter = _allocate_lock()
        waiter.acquire()
        while self._pausing == ident and _now_s() < deadline:
            waiter.acquire(True, 0.0002)
        with self.lock:
            if self._pausing != ident or not self.is_stopped:
                return
            self._pausing = None
            text = None if ident in self.parked else "The thread is inside a call that has not returned yet."
            stop = Stop(thread_id, StopReason.PAUSE, "Paused", text)
            self._stops[ident] = stop
        self._listener.stopped(stop)
        if not self.parked:
            self._settle()  # nobody else is there to end the sweep

    def resume(self, prepare: Callable[[], None] | None = None) -> None:
        """Let all threads go on; `prepare` (a step) runs with the lock held before they do.

        The listener hears of it before any thread moves. If a thread has stopped for a reason of its own in
        that moment, nobody has answered that stop yet: then all stay where they are, and the listener, which
        has just forgotten what it knew of stops, is told of this one after that.
        """
        with self.lock:
            if not self.is_stopped:
                return
            standing = set(self.parked)
            self._is_resuming = True
            told = list(self._stops.values())  # of threads in C; one that comes back brings its old stop
        try:
            self._listener.resumed(None)
        except Exception as error:  # boundary: the listener must not raise
            errors.note(error)
        with self.lock:
            self._is_resuming = False
            if not self.is_stopped:
                return
            late = [
                parked.stop
                for ident, parked in self.parked.items()
                if ident not in standing and parked.stop is not None and parked.stop not in told
            ]
            if late:
                for ident in standing:
                    self.parked[ident].stop = None
                released = []
            else:
                released = self._release()
                if prepare is not None:
                    prepare()
        for stop in late:
            self._tell(stop)
        for parked in released:
            parked.is_released = True
            parked.rouse()

    def _release(self) -> list[Parked]:
        self.is_stopped = False
        self._pausing = None
        released = list(self.parked.values())
        self.parked.clear()
        self._free.clear()
        self._steps_alone = False
        self._born.clear()
        self._stops.clear()
        self._let_go()
        return released

    def resume_one(self, ident: int, thread_id: int, prepare: Callable[[], None] | None = None) -> None:
        """Let one thread go on while the others stand; the last one to stand takes all with it.

        `prepare` (a step) is called with the lock held, before it moves.
        """
        with self.lock:
            parked = self.parked.get(ident)
            if not self.is_stopped:
                return
            rest = len(self.parked) - (parked is not None)
            if prepare is not None and not rest:
                # A step alone: those that sit in C are to stand when they come back.
                rest = sum(one != ident and one not in self._threads.own for one in current_frames())
            if not rest:
                alone = True
            else:
                alone = False
                self.parked.pop(ident, None)
                self._stops.pop(ident, None)
                self._free.add(ident)
                if prepare is not None:
                    self._steps_alone = True
                    prepare()
        if alone:
            self.resume(prepare)
            return
        self._listener.resumed(thread_id)
        if parked is not None:
            parked.is_released = True
            parked.rouse()

    def close(self) -> None:
        """Detach: everybody goes on, nobody stops any more."""
        with self.lock:
            self.is_open = False
            self.skip_once.clear()
            released = self._release()
        for parked in released:
            parked.is_released = True
            parked.rouse()

    def forked(self) -> None:
        """In a forked child: the other threads are gone, and with them whoever held the lock."""
        self.lock = _thread.RLock()
        self._is_resuming = False
        for parked in list(self.parked.values()):
            parked.is_released = True
        self._threads.forked()
        self.close()

    # looking

    def is_standing(self, ident: int) -> bool:
        return ident in self.parked

    def is_blocked(self, ident: int) -> bool:
        """All are stopped, but this one has not come back from C."""
        return self.is_stopped and ident not in self.parked and ident not in self._free

    def stop_of(self, ident: int) -> Stop | None:
        parked = self.parked.get(ident)
        if parked is None:
            return self._stops.get(ident)
        return parked.stop or Stop(parked.thread_id, StopReason.PAUSE, "Paused", "Another thread has stopped")


def _without_us(error: BaseException) -> BaseException:
    """Take what is ours off what a signal handler has raised while the program stood."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OURS):
        traceback = traceback.tb_next
    if isinstance(error.__context__, Interrupted):
        error.__context__ = None
    return BaseException.with_traceback(error, traceback)
