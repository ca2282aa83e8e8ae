"""The face of the engine: everything the session may ask for.

Called by the agent's thread, unless a method says otherwise. Every method answers at once; only `jump` waits
for the thread it concerns.
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from _weakref import ref

from . import background, monitoring
from .arming import Armoury
from .breakpoints import Breakpoint, FileBreakpoints, Wish
from .exceptions import ExceptionFilter, Exceptions
from .files import STDLIB
from .follower import FollowerEvents
from .frames import current_frames
from .jobs import Interrupted, Job, watcher
from .monitoring import PY_RETURN, PY_START, PY_UNWIND, RAISE, Tool
from .placing import Placer
from .stack import Place, StackEntry, entry, places_from, trim
from .stepping import Stepping
from .stopping import World
from .stops import Listener, StepKind, Stop, StopReason
from .threads import ThreadInfo, Threads, ThreadState
from .usercode import Rule, UserCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FrameType
    from typing import TypeVar

    from .files import File

    T = TypeVar("T")

_allocate_lock = _thread.allocate_lock
_monotonic = time.monotonic
_get_ident = _thread.get_ident

_FOUNDATION = tuple(os.path.join(STDLIB, name) for name in ("runpy.py", "threading.py"))
_IMPORTLIB = "<frozen importlib"
_IMPORTING = os.path.join(STDLIB, "importlib") + os.sep
JUMP_PATIENCE_S = 2.0


class NotStopped(RuntimeError):
    """What was asked makes sense only for a thread that is stopped."""


class Engine:
    """One debugger of this interpreter. Make one, attach and detach it as often as needed."""

    def __init__(self, listener: Listener) -> None:
        self.attached = False
        self._listener = listener
        self._finder_tool: Tool | None = None
        self._follower_tool: Tool | None = None
        self._numbers = 0  # the last breakpoint id given
        self._user_code = UserCode()
        self._threads = Threads()
        self._events = FollowerEvents()
        self._world = World(listener, self._threads, self._events)
        self._armoury = Armoury(self._user_code)
        self._placer = Placer(self._armoury.paths.resolve)
        self._stepping = Stepping(
            self._world, self._threads, self._events, self._is_interesting, self._is_own
        )
        self._exceptions = Exceptions(
            self._world,
            self._threads,
            self._armoury,
            self._stepping,
            self._events,
            self._is_interesting,
            self._is_foundation,
        )
        world, armoury = self._world, self._armoury
        world.on_stop = self._stepping.cancel_all
        world.is_hidden = self._is_hidden
        armoury.may_stop = self._may_stop
        armoury.fired = self._breakpoint_fired
        armoury.logged = listener.logged
        armoury.snapped = listener.snapped
        armoury.throttled = listener.throttled
        armoury.broke = listener.breakpoint_changed
        armoury.code_appeared = self._code_appeared
        watcher.started = self._threads.own.add
        watcher.ended = self._threads.own.discard

    # attaching

    def attach(self) -> str | None:
        """Take two tool ids of sys.monitoring; returns a warning to show, or None. Idempotent.

        Raises RuntimeError, and holds nothing, when other tools have left fewer than two.
        """
        if self.attached:
            return None
        finder, follower, warning = monitoring.take()
        self._finder_tool = finder
        self._armoury.attach(finder, self._make_room, self._keep_start, self._events.forget_start)
        finder.on(RAISE, self._exceptions.on_raise)
        finder.on(PY_UNWIND, self._exceptions.unwind_callback())
        self._events.attach(follower)
        self._follower_tool = follower
        self._stepping.attach(follower)
        self._world.is_open = True
        self.attached = True
        self._watch_threads()
        _after_fork.register(self)
        for file in self._armoury.files_with_breakpoints():  # set before
            self._armoury.find()
            self._armoury.arm_file(file)
        self._set_events()
        return warning

    def detach(self) -> None:
        """All events off, tool ids freed, stopped threads go on. Idempotent, any thread."""
        with self._world.lock:  # two at once: one of them does it
            if not self.attached:
                return
            self.attached = False
            tools = (self._finder_tool, self._follower_tool)
            self._finder_tool = self._follower_tool = None
        self._exceptions.clear()
        with self._world.lock:
            self._stepping.detach()
        self._world.close()
        self._armoury.detach()
        with self._world.lock:
            self._events.detach()
        for tool in tools:
            if tool is not None:
                tool.free()
        background.end()

    def own_thread(self, ident: int, own: bool = True) -> None:
        """Say that this thread is the debugger's own: never listed, stopped or counted; or no more."""
        if own:
            self._threads.own.add(ident)
        else:
            self._threads.own.discard(ident)

    def forked(self) -> None:
        """In a forked child: detach, whatever the threads that are gone were about. Idempotent."""
        self._armoury.forked()
        self._world.forked()
        watcher.forked()
        self.detach()

    def _set_events(self) -> None:
        if self._finder_tool is not None:
            self._finder_tool.set_events(self._armoury.events | self._exceptions.events)

    # user code

    def set_user_code(self, *, just_my_code: bool = True, rules: Sequence[Rule] = ()) -> None:
        self._user_code.just_my_code = just_my_code
        self._user_code.set_rules(rules)
        self._armoury.reclassify()
        if self.attached:
            monitoring.restart()  # what a step was never to enter it may enter now

    def is_user_code(self, code: CodeType) -> bool:
        return self._armoury.file_of(code).is_user

    def _is_own(self, code: CodeType) -> bool:
        return self._armoury.file_of(code).is_own

    def _is_interesting(self, code: CodeType) -> bool:
        file = self._armoury.file_of(code)
        if file.is_user:
            return True
        return not self._user_code.just_my_code and not file.is_own and not file.path.startswith(_IMPORTING)

    def _is_foundation(self, code: CodeType) -> bool:
        """What a program or a thread stands on: remora's runner, runpy, the start of a thread."""
        file = self._armoury.file_of(code)
        return file.is_own or file.path in _FOUNDATION

    def _is_launcher(self, code: CodeType) -> bool:
        file = self._armoury.file_of(code)
        return file.is_own or file.path == _FOUNDATION[0]

    def _is_hidden(self, frame: FrameType) -> bool:
        """Inside a call into remora, or looking for a module: it could hold a lock the agent needs."""
        at: FrameType | None = frame
        may_hold = True
        while at is not None:
            if may_hold and at.f_code.co_filename.startswith(_IMPORTLIB):
                if at.f_code.co_name != "_call_with_frames_removed":
                    return True
                may_hold = False  # it runs the body of a module, under that module's lock only
            file = self._armoury.file_of(at.f_code)
            if file.is_own:
                return True
            if file.is_user:
                return False
            at = at.f_back
        return False

    # breakpoints

    def set_breakpoints(self, path: str, wishes: Sequence[Wish]) -> list[Breakpoint]:
        """Replace the breakpoints of a file; the same wish keeps its breakpoint."""
        file = self._armoury.file_at(path)
        old = file.breakpoints
        kept: dict[tuple[object, ...], list[Breakpoint]] = {}
        for item in old.items if old is not None else ():
            kept.setdefault(item.wish.key(), []).append(item)
        new = FileBreakpoints(path)
        for wish in wishes:
            again = kept.get(wish.key())
            if again:
                new.items.append(again.pop(0))
            else:
                self._numbers += 1
                new.items.append(Breakpoint(self._numbers, path, wish))
        self._placer.place(file, [item for item in new.items if item.is_usable])
        new.index()
        file.breakpoints = new if new.items else None
        if new.items or old is not None:
            if new.items:
                self._armoury.find()
                self._set_events()
            self._armoury.arm_file(file)
        return list(new.items)

    def code_replaced(self, path: str, module: CodeType) -> None:
        """Let the breakpoints of a file follow: its functions have got new code, out of this module body.

        On the agent's thread. The listener is told of those that have moved.
        """
        if not self.attached:
            return
        file = self._armoury.file_at(path)
        file.codes.add(module)  # the latest: what tells the lines from now on
        breakpoints = file.breakpoints
        if breakpoints is None:
            return
        items = [item for item in breakpoints.items if item.is_usable]
        before = {item: (item.state, item.line) for item in items}
        self._placer.place(file, items)
        breakpoints.index()
        self._armoury.arm_file(file)
        for item in items:
            if (item.state, item.line) != before[item]:
                self._listener.breakpoint_changed(item)

    def next_interval(self, breakpoint: Breakpoint) -> tuple[int, bool]:
        """Let a breakpoint that was throttled speak again.

        Returns how many hits were left out, and whether there were more that nobody counted.
        """
        quota = breakpoint.quota
        if quota is None:
            return 0, False
        result = quota.next_interval(_monotonic())
        self._armoury.listen_again(breakpoint)
        return result

    def _make_room(self, code: CodeType, begin: bool) -> None:
        with self._world.lock:
            self._events.make_room(code, begin=begin)

    def _keep_start(self, code: CodeType, on: bool) -> None:
        with self._world.lock:
            self._events.keep_start(code, on=on)

    def _code_appeared(self, file: File, code: CodeType) -> None:
        """Code of a file with pending breakpoints runs for the first time. On the program's thread."""
        breakpoints = file.breakpoints
        if breakpoints is None:
            return
        items = breakpoints.waiting
        if code.co_name == "<module>" and self._placer.is_stale(file):
            items = [item for item in breakpoints.items if item.is_usable]  # edited since they were placed
        before = {item: (item.state, item.line) for item in items}
        self._placer.place_in_code(file, code, items)
        changed = [item for item in items if (item.state, item.line) != before[item]]
        if changed:
            breakpoints.index()
            for item in changed:
                self._listener.breakpoint_changed(item)

    def _may_stop(self) -> bool:
        return self._world.is_open and _get_ident() not in self._threads.own

    def _breakpoint_fired(
        self, frame: FrameType, hit: list[Breakpoint], text: str | None, at_line: bool
    ) -> None:
        self._world.stop_here(
            frame,
            Stop(
                self._threads.id_of(_get_ident()),
                StopReason.BREAKPOINT,
                "Breakpoint",
                text,
                breakpoint_ids=tuple(item.id for item in hit),
            ),
            at_line=at_line,
        )

    def set_exception_filters(self, filters: Sequence[ExceptionFilter]) -> None:
        """Replace the filters (raised, uncaught, userUnhandled). Raises ValueError; then nothing changes."""
        self._exceptions.set(filters)
        if any(item.name == "uncaught" for item in filters):
            self._armoury.find()  # to see asyncio being imported
        self._set_events()

    def stop_on_entry(self, code: CodeType) -> None:
        """Stop with reason ENTRY at the first line of `code`, the main program's module. It is user code."""
        self._user_code.add_entry(self._armoury.file_of(code).path)
        self._armoury.reclassify()
        if self.attached:
            self._stepping.at_entry(code)

    def break_here(self, frame: FrameType) -> None:
        """Stop the calling thread where `frame`, its caller, goes on. For `breakpoint()`; any thread."""
        if self.attached and self._may_stop():
            self._stepping.break_in(frame)

    def uncaught(self, exc: BaseException) -> None:
        """The program dies of `exc`: stop post mortem, if the filter is set, before anybody prints. Any
        thread.
        """
        if self.attached:
            self._exceptions.uncaught(exc)

    # execution

    def pause(self, thread_id: int | None = None) -> None:
        """Stop all threads. The stop is told of this thread (the main one if None), wherever it is."""
        number = 1 if thread_id is None else thread_id
        self._world.pause(self._threads.ident_of(number), number)

    def resume(self, thread_id: int | None = None) -> None:
        """Let all threads go on, or that one only."""
        if thread_id is None:
            self._world.resume()
        else:
            self._world.resume_one(self._threads.ident_of(thread_id), thread_id)

    def step(self, thread_id: int, kind: StepKind, *, alone: bool = False) -> None:
        """Step that thread; the others go on too, or stand with `alone`. Raises NotStopped, LookupError."""
        ident = self._threads.ident_of(thread_id)
        parked = self._world.parked.get(ident)
        frame: FrameType | None
        if parked is not None:
            if parked.post_mortem is not None:
                raise NotStopped("the exception has ended these frames; there is nothing to step in")
            frame = parked.frame
        else:
            if not self._world.is_blocked(ident):
                raise NotStopped(f"thread {thread_id} is running")
            frame = current_frames().get(ident)
        while frame is not None and self._is_own(frame.f_code):
            frame = frame.f_back
        if frame is None:
            raise NotStopped(f"thread {thread_id} has no frame of the program")
        at = frame
        if alone:
            self._world.resume_one(ident, thread_id, lambda: self._stepping.begin(ident, kind, at))
        else:
            self._world.resume(lambda: self._stepping.begin(ident, kind, at))

    def jump(self, thread_id: int, line: int) -> list[str]:
        """Go on at another line of the innermost frame; returns CPython's warnings.

        Raises ValueError with CPython's reason; NotStopped if the thread does not stand at the start of a
        line.
        """
        ident = self._threads.ident_of(thread_id)
        parked = self._world.parked.get(ident)
        if parked is None:
            raise NotStopped(f"thread {thread_id} is not stopped")
        if not parked.at_line:
            raise NotStopped(
                "Python allows a jump only from the start of a line; step once (next), then jump"
            )
        frame = parked.frame
        finished = _allocate_lock()
        finished.acquire()
        messages: list[str] = []

        def work() -> None:
            import warnings

            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                frame.f_lineno = line  # type: ignore[misc]
            messages.extend(str(item.message) for item in caught)
            self._world.skip_once[ident] = (frame, frame.f_lasti)
            parked.frames = None

        job = self.submit(thread_id, work, lambda job: finished.release(), timeout_s=JUMP_PATIENCE_S)
        if not finished.acquire(True, JUMP_PATIENCE_S * 2):
            job.cancel()
            raise NotStopped("the thread is busy with something else; try again")
        if isinstance(job.error, Interrupted):
            raise NotStopped("the thread was let go, or what the jump ends took too long")
        if job.error is not None:
            raise job.error
        return messages

    # looking

    def threads(self) -> list[ThreadInfo]:
        """Every thread that runs Python code, the main one first; never our own."""
        return [
            self._threads.info(number, ident, self._state_of(ident)) for number, ident in self._threads.live()
        ]

    def _state_of(self, ident: int) -> ThreadState:
        if self._world.is_standing(ident):
            return ThreadState.STOPPED
        return ThreadState.BLOCKED if self._world.is_blocked(ident) else ThreadState.RUNNING

    def is_standing(self, thread_id: int) -> bool:
        """Whether that thread stands, for a reason of its own or because another one does."""
        try:
            return self._world.is_standing(self._threads.ident_of(thread_id))
        except LookupError:
            return False

    def stop_of(self, thread_id: int) -> Stop | None:
        """Why that thread is stopped; None while it runs. Raises LookupError."""
        return self._world.stop_of(self._threads.ident_of(thread_id))

    def stack(self, thread_id: int, start: int = 0, levels: int = 0) -> tuple[list[StackEntry], int]:
        """`levels` entries (0: all) from `start`, innermost first, and how many there are. Raises
        LookupError.
        """
        ident = self._threads.ident_of(thread_id)
        parked = self._world.parked.get(ident)
        places = parked.frames if parked is not None else None
        if places is None:
            if parked is not None and parked.post_mortem is not None:
                places = list(parked.post_mortem)
            else:
                places = places_from(parked.frame if parked is not None else current_frames().get(ident))
            trim(places, self._is_launcher, self._is_own)
            if parked is not None:
                parked.frames = places
        wanted = places[start : start + levels] if levels else places[start:]
        return [entry(place, user_code=self.is_user_code(place[0].f_code)) for place in wanted], len(places)

    def stack_from(self, frame: FrameType, levels: int) -> tuple[list[StackEntry], bool]:
        """The frame and its callers, innermost first, and whether there are more. Any thread."""
        places: list[Place] = []
        at: FrameType | None = frame
        while at is not None and len(places) < levels:
            places.append((at, at.f_lasti, at.f_lineno))
            at = at.f_back
        if at is None:
            trim(places, self._is_launcher, self._is_own)
        return [
            entry(place, user_code=self.is_user_code(place[0].f_code)) for place in places
        ], at is not None

    def current_thread(self) -> ThreadInfo:
        """The calling thread. Any thread."""
        ident = _get_ident()
        return self._threads.info(self._threads.id_of(ident), ident, ThreadState.RUNNING)

    # running things on a parked thread

    def submit(
        self,
        thread_id: int,
        work: Callable[[], T],
        done: Callable[[Job[T]], None],
        *,
        timeout_s: float | None = None,
    ) -> Job[T]:
        """Run `work` on that thread while it stands; on the caller's if it is blocked in C.

        On time-out or `Job.cancel()` an Interrupted is raised inside the work. `done` runs once, on the
        thread that ran the work. Raises NotStopped, LookupError.
        """
        ident = self._threads.ident_of(thread_id)
        job: Job[T] = Job(thread_id, work, done, timeout_s)
        with self._world.lock:
            parked = self._world.parked.get(ident)
            if parked is not None:
                parked.jobs.append(job)
            elif not self._world.is_blocked(ident):
                raise NotStopped(f"thread {thread_id} is running")
        if parked is not None:
            parked.rouse()
        else:
            self._world.work(job)
        return job

    # threads that come and go

    def _watch_threads(self) -> None:
        code = threading.Thread._bootstrap_inner.__code__  # type: ignore[attr-defined]
        with self._world.lock:
            self._stepping.doors[id(code)] = (code, self._thread_began)
            self._stepping.exits[id(code)] = self._thread_ended
            self._events.want_local("threads", code, PY_START | PY_RETURN)

    def _thread_began(self, frame: FrameType) -> None:
        ident = _get_ident()
        if ident not in self._threads.own:
            thread = frame.f_locals.get("self")
            target = getattr(getattr(thread, "_target", None), "__code__", None)
            if target is not None and self._is_own(target):
                self._threads.own.add(ident)
                return
            name = getattr(thread, "_name", None)
            self._threads.ended(ident)  # the system has given the ident of a dead thread to this one
            number = self._threads.id_of(ident)
            self._listener.thread_started(
                self._threads.info(number, ident, ThreadState.RUNNING, str(name) if name else None)
            )

    def _thread_ended(self, frame: FrameType) -> None:
        ident = _get_ident()
        if ident not in self._threads.own:
            number = self._threads.id_of(ident)
            name = str(getattr(frame.f_locals.get("self"), "_name", None) or f"Thread {number}")
            self._threads.ended(ident)
            self._listener.thread_exited(self._threads.info(number, ident, ThreadState.RUNNING, name))
        self._threads.own.discard(ident)


class _AfterFork:
    """The one fork handler of the process: a handler cannot be taken back, so it looks up who is attached."""

    def __init__(self) -> None:
        self._engine: ref[Engine] | None = None
        self._pid = 0

    def register(self, engine: Engine) -> None:
        if self._engine is None and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)
        self._engine = ref(engine)
        self._pid = os.getpid()

    def _in_child(self) -> None:
        engine = self._engine() if self._engine is not None else None
        if engine is not None and self._pid != os.getpid():  # else it was attached in this very child
            engine.forked()


_after_fork = _AfterFork()
