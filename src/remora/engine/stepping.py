"""Stepping: a step follows one frame, whatever runs in between.

Nothing is instrumented in what the frame calls, so a step over a long call runs at full speed. A step goes
through these phases:

* `LINES`: LINE, return, yield and unwind of the frame; the next line of it ends the step (not for OUT);
* the frame ends (returns; yields as a plain generator; is unwound by an exception): on to its caller;
* `LAND`: INSTRUCTION events on the caller end the step in the middle of its line, with what was returned;
  after an unwind there is nothing to land on: the caller's next line (its handler) is waited for.

A coroutine that yields is waiting, not gone: the step stays with its frame, whichever task runs meanwhile.
Step in also watches the start and resumption of user code on its thread (`is_watching`).

`breakpoint()` and the stop on entry are steps with another reason. All state is guarded by the world's lock
where it changes; callbacks read `_followed` (by frame) without it.
"""

from __future__ import annotations

import _thread
import sys

from .monitoring import (
    BRANCHES,
    DISABLE,
    INSTRUCTION,
    JUMP,
    LINE,
    LOCAL_UNWIND,
    PY_RESUME,
    PY_RETURN,
    PY_START,
    PY_THROW,
    PY_UNWIND,
    PY_YIELD,
)
from .stops import StepKind, Stop, StopReason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from .follower import FollowerEvents
    from .monitoring import Tool
    from .stopping import World
    from .threads import Threads

_getframe = sys._getframe
_get_ident = _thread.get_ident

_COROUTINE = 0x80 | 0x100  # CO_COROUTINE, CO_ITERABLE_COROUTINE
_ASYNC_GENERATOR = 0x200
_ENDS = PY_RETURN | PY_YIELD
_UNWIND = PY_UNWIND if LOCAL_UNWIND else 0
MAX_REARMS = 64  # per step; see Step.other_frame


class Step:
    """One step under way, of one thread."""

    __slots__ = (
        "callee",
        "description",
        "frame",
        "ident",
        "is_fresh",
        "is_landing",
        "is_watching",
        "kind",
        "lasti",
        "line",
        "rearms",
        "reason",
        "returned",
        "watched_callee",
    )

    def __init__(self, ident: int, kind: StepKind, frame: FrameType) -> None:
        self.ident = ident
        self.kind = kind
        self.frame = frame
        self.line: int | None = None  # where it started, as long as it is in the frame it started in
        self.lasti = -1
        self.is_fresh = False
        self.is_landing = False
        self.is_watching = False
        self.returned: tuple[str, object] | None = None
        self.reason = StopReason.STEP
        self.description = "Step"
        self.callee: FrameType | None = None
        self.watched_callee: CodeType | None = None
        self.rearms = 0


class Stepping:
    """The steps under way, and all callbacks of the follower tool."""

    def __init__(
        self,
        world: World,
        threads: Threads,
        events: FollowerEvents,
        is_interesting: Callable[[CodeType], bool],
        is_own: Callable[[CodeType], bool],
    ) -> None:
        self._world = world
        self._threads = threads
        self._events = events
        self._is_interesting = is_interesting  # worth stopping in: user code, or any if not just my code
        self._is_own = is_own
        self._followed: dict[FrameType, Step] = {}
        self._watching: dict[int, Step] = {}  # by ident
        self.doors: dict[int, tuple[CodeType, Callable[[FrameType], None]]] = {}  # by id(code), at PY_START
        self.exits: dict[int, Callable[[FrameType], None]] = {}  # by id(code), at PY_RETURN
        self._entry: CodeType | None = None

    def attach(self, tool: Tool) -> None:
        self._tool = tool
        tool.on(PY_START, self._on_start)
        tool.on(PY_RESUME, self._on_resume)
        tool.on(PY_THROW, self._on_throw)
        tool.on(LINE, self._on_line)
        tool.on(INSTRUCTION, self._on_instruction)
        tool.on(PY_RETURN, self._on_return)
        tool.on(PY_YIELD, self._on_yield)
        tool.on(PY_UNWIND, self._on_unwind)
        tool.on(JUMP, self._on_branch)
        for branch in BRANCHES:
            tool.on(branch, self._on_branch)

    def detach(self) -> None:
        self.cancel_all()
        self.doors.clear()
        self.exits.clear()
        self._entry = None

    # beginning and ending; the world's lock is held

    def begin(self, ident: int, kind: StepKind, frame: FrameType) -> None:
        """Begin a step of a thread that stands (or is blocked) with `frame` innermost."""
        step = Step(ident, kind, frame)
        step.line, step.lasti, step.is_fresh = frame.f_lineno, frame.f_lasti, True
        self._follow(step, frame)
        if kind is StepKind.IN:
            self._watch(step)

    def break_in(self, frame: FrameType) -> None:
        """Stop where `frame` goes on: `breakpoint()`."""
        with self._world.lock:
            step = Step(_get_ident(), StepKind.OUT, frame)
            step.reason, step.description = StopReason.BREAKPOINT, "breakpoint()"
            self._land_in(step, frame)

    def at_entry(self, code: CodeType) -> None:
        """Stop at the first line of `code`."""
        with self._world.lock:
            self._entry = code
            self.doors[id(code)] = (code, self._enter)
            self._events.want_local("entry", code, PY_START)

    def _enter(self, frame: FrameType) -> None:
        with self._world.lock:
            code, self._entry = self._entry, None
            if code is not frame.f_code:
                return
            del self.doors[id(code)]
            self._events.want_local("entry", code, 0)
            step = Step(_get_ident(), StepKind.OVER, frame)
            step.reason, step.description = StopReason.ENTRY, "Entry"
            self._follow(step, frame)

    def cancel_all(self) -> None:
        for step in {*self._followed.values(), *self._watching.values()}:
            self._end(step)

    def _follow(self, step: Step, frame: FrameType) -> None:
        step.frame = frame
        step.is_landing = False
        self._followed[frame] = step
        # OUT wants no lines, but 3.12 and 3.13 miss the return of a line in whose LINE callback LINE is taken
        # away (they go on with the bare opcode). So it has LINE too, and disables each line at its first
        # visit.
        self._events.want_local(step, frame.f_code, LINE | _ENDS | _UNWIND)
        self._events.want(step, 0 if LOCAL_UNWIND else PY_UNWIND)

    def _land_in(self, step: Step, frame: FrameType) -> None:
        step.frame = frame
        step.is_landing = True
        self._followed[frame] = step
        # The instruction it lands on may be the return or the yield of this frame. CPython has looked up what
        # to execute there before it calls us, so what the next step needs must be there already.
        self._events.want_local(step, frame.f_code, INSTRUCTION | _ENDS | _UNWIND)
        self._events.want(step, 0 if LOCAL_UNWIND else PY_UNWIND)

    def _unfollow(self, step: Step) -> None:
        self._followed.pop(step.frame, None)
        self._events.want_local(step, step.frame.f_code, 0)
        self._forget_callee(step)

    def _watch(self, step: Step) -> None:
        step.is_watching = True
        self._watching[step.ident] = step
        self._events.want("watch", PY_START | PY_RESUME | PY_THROW)

    def _unwatch(self, step: Step) -> None:
        if step.is_watching:
            step.is_watching = False
            self._watching.pop(step.ident, None)
            if not self._watching:
                self._events.want("watch", 0)

    def _end(self, step: Step) -> None:
        self._unfollow(step)
        self._unwatch(step)
        self._events.want(step, 0)

    def _finish(self, step: Step, frame: FrameType, *, at_line: bool) -> None:
        with self._world.lock:
            if self._followed.get(step.frame) is not step and not step.is_watching:
                return  # another thread's stop has ended it
            self._end(step)
        self._world.stop_here(
            frame,
            Stop(self._threads.id_of(step.ident), step.reason, step.description, returned=step.returned),
            at_line=at_line,
        )

    # callbacks of the follower

    def _on_start(self, code: CodeType, offset: int, is_resumed: bool = False) -> Any:
        door = self.doors.get(id(code))
        if door is not None:
            door[1](_getframe(2 + is_resumed))
        world = self._world
        if world.is_stopped:
            if self._is_own(code):
                return DISABLE if door is None else None
            world.halt_here(_getframe(2 + is_resumed), at_line=False)
            return None
        if not self._watching:
            return None
        if not self._is_interesting(code):
            # Switched off for good: a step never enters it, and other threads need not pay for it.
            return DISABLE if door is None and not self._events.is_kept(code) else None
        self._step_into(_getframe(2 + is_resumed), is_resumed)
        return None

    def _on_resume(self, code: CodeType, offset: int) -> Any:
        return self._on_start(code, offset, True)

    def _step_into(self, frame: FrameType, is_resumed: bool) -> None:
        step = self._watching.get(_get_ident())
        if step is None or frame is step.frame:
            return  # another thread's; or the coroutine it is in goes on
        with self._world.lock:
            if not step.is_watching:
                return
            if not is_resumed or step.kind is not StepKind.IN:
                self._unwatch(step)
            # Else the line it goes on in the middle of may call what is to be entered, and a generator
            # expression on one line has no other.
            self._unfollow(step)
            step.line = None
            step.is_fresh = False
            step.returned = None
            if step.kind is StepKind.OUT:
                step.kind = StepKind.OVER
            self._follow(step, frame)

    def _on_throw(self, code: CodeType, offset: int, exception: BaseException) -> None:
        # A step into throw() or close() of a generator. CPython allows no DISABLE for this event.
        if self._watching and not self._world.is_stopped and self._is_interesting(code):
            self._step_into(_getframe(2), True)

    def _on_line(self, code: CodeType, line: int) -> Any:
        frame = _getframe(2)
        step = self._followed.get(frame)
        if step is None:
            if self._world.is_stopped:
                self._world.halt_here(frame, at_line=True)
                return None
            return self._other_frame(frame, code)
        if step.kind is StepKind.OUT and not step.is_landing:
            return DISABLE
        if step.line is not None:
            lasti = frame.f_lasti
            if step.is_fresh:
                step.is_fresh = False
                if lasti == step.lasti:
                    return None  # the event it was standing in, told to the second tool
            if line == step.line and lasti > step.lasti:
                return None  # further on in the same line
        self._finish(step, frame, at_line=True)
        return None

    def _on_instruction(self, code: CodeType, offset: int) -> Any:
        frame = _getframe(2)
        step = self._followed.get(frame)
        # What the compiler adds of its own (it takes up an exception, say) has no line: on to one that has.
        if step is not None and step.is_landing and frame.f_lineno is not None:
            self._finish(step, frame, at_line=False)
        return None

    def _on_return(self, code: CodeType, offset: int, value: object) -> Any:
        frame = _getframe(2)
        step = self._followed.get(frame)
        if step is None:
            door = self.exits.get(id(code))
            if door is not None:
                door(frame)
            elif self._followed:
                self._left_callee(frame)
            return None
        if not step.is_landing:
            self._leave(step, frame, (code.co_qualname, value))
        return None

    def _on_yield(self, code: CodeType, offset: int, value: object) -> Any:
        frame = _getframe(2)
        step = self._followed.get(frame)
        if step is None:
            if self._followed:
                self._left_callee(frame)
            return None
        if step.is_landing:
            return None
        flags = code.co_flags
        if flags & _COROUTINE:
            self._await(step)
        elif flags & _ASYNC_GENERATOR:
            # What it yields to its consumer is wrapped (Objects/genobject.c); an await yields as it is.
            if type(value).__name__ == "async_generator_wrapped_value":
                self._leave(step, frame, None)
            else:
                self._await(step)
        else:
            self._leave(step, frame, (code.co_qualname, value))
        return None

    def _on_unwind(self, code: CodeType, offset: int, exception: BaseException) -> Any:
        frame = _getframe(2)
        step = self._followed.get(frame)
        if step is None:
            if self._followed:
                self._left_callee(frame)
            return None
        with self._world.lock:
            if self._followed.get(frame) is not step:
                return None
            self._unfollow(step)
            step.returned = None
            caller = self._interesting_from(frame.f_back)
            if caller is None:
                self._end(step)
                return None
            step.line = None
            if step.kind is StepKind.OUT and step.reason is StopReason.STEP:
                step.kind = StepKind.OVER  # the next line of the caller is where it is handled
            self._follow(step, caller)
        return None

    def _on_branch(self, code: CodeType, offset: int, destination: int) -> Any:
        if self._world.is_stopped:
            self._world.halt_here(_getframe(2), at_line=False)
        return None

    # the frame ends, or waits

    def _leave(self, step: Step, frame: FrameType, returned: tuple[str, object] | None) -> None:
        with self._world.lock:
            if self._followed.get(frame) is not step:
                return
            self._unfollow(step)
            direct = frame.f_back
            caller = self._interesting_from(direct)
            if caller is None:
                self._end(step)
                return
            step.line = None
            step.returned = returned if caller is direct else None
            self._land_in(step, caller)
            # C or library code may be in between, and call user code again before it returns. A person who
            # steps in means that; one who steps over the end of a callback of a library too. Not for
            # coroutines: the event loop runs whatever comes next.
            if frame.f_code.co_flags & (_COROUTINE | _ASYNC_GENERATOR):
                wanted = False
            elif step.kind is StepKind.IN:
                wanted = True
            else:
                wanted = step.kind is StepKind.OVER and caller is not direct
            if wanted:
                self._watch(step)
            else:
                self._unwatch(step)

    def _await(self, step: Step) -> None:
        with self._world.lock:
            self._unwatch(step)  # what runs until it goes on is other tasks

    def _interesting_from(self, frame: FrameType | None) -> FrameType | None:
        while frame is not None and not self._is_interesting(frame.f_code):
            frame = frame.f_back
        return frame

    # recursion: the code of the followed frame runs in other frames too

    def _other_frame(self, frame: FrameType, code: CodeType) -> Any:
        """A LINE event of followed code in a frame below the followed one: make it cheap.

        The place is disabled; it has to be live again when control is back in the followed frame, that is
        when the frame it has called directly has ended. That frame is found once per call and watched. A line
        that makes many small calls would spend its time on this, so after MAX_REARMS the events are left on.
        """
        ident = _get_ident()
        for step in list(self._followed.values()):
            if step.frame.f_code is not code or step.is_landing:
                continue
            if step.kind is StepKind.OUT:
                return DISABLE
            if step.ident != ident:
                return None
            if step.callee is None:
                if step.rearms >= MAX_REARMS:
                    return None
                callee = frame
                while callee.f_back is not step.frame:
                    if callee.f_back is None:
                        return None  # not below it: a generator of the same code, or another thread
                    callee = callee.f_back
                with self._world.lock:
                    if self._followed.get(step.frame) is not step:
                        return None
                    step.callee = callee
                    step.rearms += 1
                    step.watched_callee = callee.f_code
                    if callee.f_code is not code:
                        self._events.want_local((step, "callee"), callee.f_code, _ENDS | _UNWIND)
            return DISABLE
        return None

    def _left_callee(self, frame: FrameType) -> None:
        for step in list(self._followed.values()):
            if step.callee is frame:
                with self._world.lock:
                    self._forget_callee(step)

    def _forget_callee(self, step: Step) -> None:
        """Nothing of this step is disabled any more."""
        if step.callee is None:
            return
        step.callee = None
        code, step.watched_callee = step.watched_callee, None
        if code is not None and code is not step.frame.f_code:
            self._events.want_local((step, "callee"), code, 0)
        self._events.rearm(step.frame.f_code)
