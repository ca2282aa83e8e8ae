"""Arming: where breakpoints stand in code objects.

A binding is one (code object, line). Code objects are met at their first PY_START or PY_RESUME, once each; a
code object that holds a line of a breakpoint gets local LINE events, and every other line of it returns
DISABLE at its first visit, so what is left costs nothing.

Where LINE would leave a cost behind (`silent`), the first visit is waited for with INSTRUCTION events
instead: every instruction is disabled at its first execution, but for those that begin a wanted line. The
first of these to be executed is the tripwire; it counts as the visit, and from then on the code object has
LINE events. The price: that one stop is not inside a LINE callback, so CPython will not jump from it.

Setter and callbacks race without harm: a callback records the code object and then looks for breakpoints; the
setter stores the breakpoints and then goes through the record. `_lock` (reentrant: a finalizer of the program
may run anywhere) guards only the arming of one code object.
"""

from __future__ import annotations

import _thread
import sys
import time

from . import monitoring
from .breakpoints import Breakpoint
from .expressions import describe
from .files import OWN_DIRECTORY, File, Paths
from .frames import current_frames
from .lines import Statements, lines_of, lines_of_start
from .monitoring import DISABLE, INSTRUCTION, LINE, PY_RESUME, PY_START
from .quota import SILENT, TAKEN
from .silent import has_silent_places
from .usercode import UserCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from .monitoring import Tool

_getframe = sys._getframe
_now = time.monotonic  # programs patch it in tests
MAX_NAMES = 10_000  # file names remembered before those of generated code are dropped: some 3 MB
_hits_lock = _thread.allocate_lock()  # guards the hits of all breakpoints where no interpreter lock does


def _count_safely(breakpoint: Breakpoint) -> int:
    with _hits_lock:
        breakpoint.hits += 1
        return breakpoint.hits


# With an interpreter lock nothing comes between reading a number and writing it back, a line further on.
_count = None if getattr(sys, "_is_gil_enabled", lambda: True)() else _count_safely
_RESUMABLE = 0x20 | 0x80 | 0x100 | 0x200  # generators, coroutines, asynchronous generators


class Trigger:
    """One breakpoint at one code object: its expressions are compiled for the locals of that code."""

    __slots__ = ("breakpoint", "condition", "log")

    def __init__(self, breakpoint: Breakpoint, code: CodeType) -> None:
        self.breakpoint = breakpoint
        self.condition = breakpoint.condition.bind(code) if breakpoint.condition is not None else None
        self.log = breakpoint.log.bind(code) if breakpoint.log is not None else None


class Binding:
    """What waits on one line of one code object."""

    __slots__ = ("breakpoints", "failed", "only_test", "skip", "triggers")

    def __init__(
        self, breakpoints: tuple[Breakpoint, ...], code: CodeType, line: int, statements: Statements
    ) -> None:
        self.breakpoints = breakpoints
        self.triggers: list[Trigger] = []
        self.failed: list[tuple[Breakpoint, str]] = []  # what cannot work in this code, and why
        for breakpoint in breakpoints:
            try:
                self.triggers.append(Trigger(breakpoint, code))
            except Exception as error:  # boundary: the compiler, given names of the program
                self.failed.append((breakpoint, getattr(error, "msg", None) or describe(error)))
        self.skip = statements.continuations(line)
        # The commonest hot case, one condition and nothing else on the line, is tested in the callback
        # itself.
        self.only_test = self.triggers[0].condition if len(self.triggers) == 1 and not self.skip else None


class Armoury:
    """Finds code objects and keeps the bindings of all files."""

    def __init__(self, user_code: UserCode) -> None:
        self._lock = _thread.RLock()
        self._user_code = user_code
        self.paths = Paths()
        self._by_name: dict[str, File] = {}  # by co_filename
        self._by_path: dict[str, File] = {}
        self._names_kept = 0  # when last some were dropped
        self.armed: dict[int, dict[int, Binding]] = {}  # by id(code), then line
        self._tripwires: dict[
            int, dict[int, int]
        ] = {}  # by id(code): offset -> line; INSTRUCTION, not LINE yet
        self._make_room: Callable[[CodeType, bool], None] = lambda code, begin: None
        self._keep_start: Callable[[CodeType, bool], None] = lambda code, on: None
        self._forget_start: Callable[[int], None] = lambda key: None
        self._tool: Tool | None = None
        self._was_on = False
        self.is_on = False
        self.code_appeared: Callable[[File, CodeType], None] = lambda file, code: None
        self.met: Callable[[CodeType], None] | None = None  # told each code object met, for special places
        self.fired: Callable[[FrameType, list[Breakpoint], str | None, bool], None] = _nothing
        self.logged: Callable[[Breakpoint, str, int], None] = lambda breakpoint, text, line: None
        self.snapped: Callable[[Breakpoint, FrameType], None] = lambda breakpoint, frame: None
        self.throttled: Callable[[Breakpoint], None] = lambda breakpoint: None
        self.broke: Callable[[Breakpoint], None] = lambda breakpoint: None
        self.may_stop: Callable[[], bool] = lambda: True

    # files

    def file_of(self, code: CodeType) -> File:
        return self._by_name.get(code.co_filename) or self._learn(code.co_filename)

    def file_at(self, path: str) -> File:
        """The file a client means by `path`."""
        resolved = self.paths.resolve(path)
        return self._by_path.get(resolved) or self._make(resolved)

    def files_with_breakpoints(self) -> list[File]:
        return [file for file in list(self._by_path.values()) if file.breakpoints is not None]

    def _learn(self, name: str) -> File:
        # Going through the table again must be worth it: not for each new file of a program with many.
        if len(self._by_name) > max(MAX_NAMES, 2 * self._names_kept):
            self._forget_generated()
        resolved = self.paths.resolve(name)
        file = self._by_path.get(resolved) or self._make(resolved)
        self._by_name[name] = file
        return file

    def _forget_generated(self) -> None:
        """Programs that compile under ever new names (`<lambda 4711>`) must not fill the tables."""
        for name, file in list(self._by_name.items()):
            if name.startswith("<") and file.breakpoints is None:
                self._by_name.pop(name, None)
                self._by_path.pop(file.path, None)
        self._names_kept = len(self._by_name)

    def _make(self, resolved: str) -> File:
        is_own = resolved.startswith(OWN_DIRECTORY)
        file = File(resolved, is_own=is_own, is_user=self._user_code.is_user(resolved))
        file.codes.on_death = self._died
        return self._by_path.setdefault(resolved, file)

    def reclassify(self) -> None:
        """The rules changed: ask again which files are the user's."""
        for file in list(self._by_path.values()):
            file.is_user = self._user_code.is_user(file.path)

    # the tool

    def attach(
        self,
        tool: Tool,
        make_room: Callable[[CodeType, bool], None],
        keep_start: Callable[[CodeType, bool], None],
        forget_start: Callable[[int], None],
    ) -> None:
        """`make_room` is called before and after INSTRUCTION events are set: see FollowerEvents.make_room,
        and keep_start and forget_start there for code with a breakpoint on the line it begins on.
        """
        self._tool = tool
        self._make_room = make_room
        self._keep_start = keep_start
        self._forget_start = forget_start
        tool.on(PY_START, self._on_start)
        tool.on(PY_RESUME, self._on_start)
        tool.on(LINE, self._line_callback())
        tool.on(INSTRUCTION, self._on_instruction)

    def detach(self) -> None:
        with self._lock:
            tool, self._tool = self._tool, None
            self.is_on = False
            if tool is not None:
                for file in list(self._by_path.values()):
                    for code in file.codes:
                        if id(code) in self.armed:
                            tool.set_local(code, 0)
                            self._keep_start(code, False)
            self.armed.clear()
            self._tripwires.clear()
            for file in list(self._by_path.values()):
                file.breakpoints = None
                file.codes.clear()
                file.is_recorded = file.is_user and not file.is_own

    def find(self) -> None:
        """Switch the meeting of code objects on. It stays on until detach, so that the record stays whole."""
        if not self.is_on and self._tool is not None:
            self.is_on = True
            if self._was_on:
                monitoring.restart()  # what was disabled in an earlier attachment must be met again
            self._was_on = True

    @property
    def events(self) -> int:
        return PY_START | PY_RESUME if self.is_on else 0

    def forked(self) -> None:
        """In a forked child: the threads that held the locks may be gone."""
        global _hits_lock
        self._lock = _thread.RLock()
        _hits_lock = _thread.allocate_lock()

    # callbacks of the finder

    def _on_start(self, code: CodeType, offset: int) -> Any:
        file = self._by_name.get(code.co_filename) or self._learn(code.co_filename)
        if file.is_recorded:
            file.codes.add(code)
            if file.breakpoints is not None:
                if code.co_name == "<module>" or file.breakpoints.waiting:
                    self.code_appeared(file, code)
                self.arm(file, code, is_running=False)
        if self.met is not None:
            self.met(code)
        return DISABLE

    def _line_callback(self) -> Callable[[CodeType, int], Any]:
        armed_get = self.armed.get
        disable = DISABLE
        getframe = _getframe
        visit = self._visit

        def on_line(code: CodeType, line: int) -> Any:
            lines = armed_get(id(code))
            if lines is None:
                return disable
            binding = lines.get(line)
            if binding is None:
                return disable
            frame = getframe(2)
            test = binding.only_test
            if test is not None:
                try:
                    if not test(frame):
                        return None
                except Exception as error:  # boundary: the user's condition
                    self._condition_failed(binding, frame, error)
                    return None
                return visit(binding, frame, tested=True)
            if binding.skip and frame.f_lasti in binding.skip:
                return disable
            return visit(binding, frame)

        return on_line

    def _on_instruction(self, code: CodeType, offset: int) -> Any:
        tripwires = self._tripwires.get(id(code))
        if tripwires is None or offset not in tripwires:
            return DISABLE
        with self._lock:
            tool = self._tool
            line = tripwires[offset]
            lines = self.armed.get(id(code))
            if lines is None or tool is None or self._tripwires.pop(id(code), None) is None:
                return None
            tool.rearm(code, LINE)
        binding = lines.get(line)
        if binding is not None:
            self._visit(binding, _getframe(2), at_line=False)
        return None

    def _visit(
        self, binding: Binding, frame: FrameType, *, tested: bool = False, at_line: bool = True
    ) -> Any:
        """Do what this visit asks for; DISABLE if nobody wants to hear of the next one (see `quota`)."""
        if not self.may_stop():
            return None
        hit: list[Breakpoint] = []
        text: str | None = None
        listening = False
        for trigger in binding.triggers:
            breakpoint = trigger.breakpoint
            quota = breakpoint.quota
            if quota is None:
                listening = True
            elif quota.is_over:
                continue
            if trigger.condition is not None and not tested:
                try:
                    if not trigger.condition(frame):
                        listening = True
                        continue
                except Exception as error:  # boundary: the user's condition
                    listening = True
                    told = self._error_text(breakpoint, error)
                    if told is None:
                        continue
                    if breakpoint.never_stops:
                        self.logged(breakpoint, told, frame.f_lineno)
                    else:
                        text = told
                        hit.append(breakpoint)
                    continue
            if _count is not None:
                hits = _count(breakpoint)
            else:
                breakpoint.hits = hits = breakpoint.hits + 1
            if breakpoint.hit_test is not None and not breakpoint.hit_test(hits):
                listening = True
                continue
            if quota is not None:
                verdict = quota.take(_now())
                if verdict is not TAKEN:
                    if verdict is not SILENT or breakpoint.hit_test is not None:
                        listening = True
                    if quota.is_news():
                        self.throttled(breakpoint)
                    continue
                listening = True
            if breakpoint.snaps:
                self.snapped(breakpoint, frame)
            if trigger.log is not None:
                self.logged(breakpoint, trigger.log(frame), frame.f_lineno)
            elif not breakpoint.snaps:
                hit.append(breakpoint)
        if hit:
            self.fired(frame, hit, text, at_line)
        return None if listening else DISABLE

    def _condition_failed(self, binding: Binding, frame: FrameType, error: Exception) -> None:
        if self.may_stop():
            breakpoint = binding.triggers[0].breakpoint
            text = self._error_text(breakpoint, error)
            if text is not None and breakpoint.never_stops:
                self.logged(breakpoint, text, frame.f_lineno)
            elif text is not None:
                self.fired(frame, [breakpoint], text, True)

    def _error_text(self, breakpoint: Breakpoint, error: Exception) -> str | None:
        """What to say about an error in a condition; None if it has been said."""
        if breakpoint.error_told:
            return None
        breakpoint.error_told = True
        condition = breakpoint.condition.text if breakpoint.condition is not None else ""
        text = f"The condition {condition!r} failed: {describe(error)}"
        breakpoint.message = text
        self.broke(breakpoint)
        return text

    # arming

    def arm_file(self, file: File) -> None:
        """Bring every code object of `file` that was seen or is running up to its breakpoints."""
        tool = self._tool
        if tool is None:
            return
        if not file.is_recorded:
            file.is_recorded = True
            if self.is_on:
                monitoring.restart()  # its code objects may have been met and not recorded
        running: set[int] = set()
        for frame in list(current_frames().values()):
            at: FrameType | None = frame
            while at is not None:
                code = at.f_code
                if id(code) not in running:
                    running.add(id(code))
                    if (self._by_name.get(code.co_filename) or self._learn(code.co_filename)) is file:
                        file.codes.add(code)
                at = at.f_back
        for code in file.codes:
            self.arm(file, code, is_running=id(code) in running)

    def arm(self, file: File, code: CodeType, *, is_running: bool) -> None:
        """Bring one code object up to the breakpoints of its file.

        A frame that is running may come to a wanted line in its middle (the head of its loop), where only
        LINE events tell a visit from the rest of one; so may a generator that is resumed.
        """
        breakpoints = file.breakpoints
        by_line = breakpoints.by_line if breakpoints is not None else {}
        key = id(code)
        if not by_line and key not in self.armed:
            return
        with self._lock:
            tool = self._tool
            if tool is None:
                return
            old = self.armed.get(key)
            new: dict[int, Binding] = {}
            if by_line:
                owned = _owned(file, code, by_line)
                statements = Statements(code) if owned else None
                for line in owned:
                    assert statements is not None
                    wanted = by_line[line]
                    kept = old.get(line) if old is not None else None
                    if kept is None or kept.breakpoints != wanted:
                        kept = Binding(wanted, code, line, statements)
                        if kept.failed:
                            self._fail(file, kept.failed)
                    if kept.triggers:
                        new[line] = kept
            if not new:
                if old is not None:
                    del self.armed[key]
                    self._tripwires.pop(key, None)
                    tool.set_local(code, 0)
                    self._keep_start(code, False)
                return
            self.armed[key] = new
            self._keep_start(code, not lines_of_start(code).isdisjoint(new))
            if old is not None and new.keys() <= old.keys() and key not in self._tripwires:
                return  # what it has suffices; lines that are not wanted any more disable themselves
            if not is_running and not code.co_flags & _RESUMABLE and has_silent_places(code):
                statements = Statements(code)
                self._tripwires[key] = {
                    offset: line
                    for line, binding in new.items()
                    for offset in statements.beginnings(line, binding.skip)
                }
                self._make_room(code, True)
                tool.rearm(code, INSTRUCTION)
                self._make_room(code, False)
            else:
                self._tripwires.pop(key, None)
                tool.rearm(code, LINE)

    def listen_again(self, breakpoint: Breakpoint) -> None:
        """Bring back the visits of a breakpoint that has switched its lines off. On the agent's thread."""
        file = self.file_at(breakpoint.path)
        with self._lock:
            tool = self._tool
            if tool is None:
                return
            for code in file.codes:
                lines = self.armed.get(id(code))
                binding = lines.get(breakpoint.line) if lines is not None else None
                if (
                    binding is not None
                    and breakpoint in binding.breakpoints
                    and id(code) not in self._tripwires
                ):
                    tool.rearm(code, LINE)

    def _fail(self, file: File, failed: list[tuple[Breakpoint, str]]) -> None:
        """These will never stop, though their line exists: say so."""
        for breakpoint, reason in failed:
            what = "condition" if breakpoint.log is None else "condition or log message"
            breakpoint.fail(f"The {what} cannot be used in the code of this line: {reason}")
        if file.breakpoints is not None:
            file.breakpoints.index()
        for breakpoint, _ in failed:
            self.broke(breakpoint)

    def _died(self, key: int) -> None:
        self.armed.pop(key, None)
        self._tripwires.pop(key, None)
        self._forget_start(key)


def _nothing(frame: FrameType, hit: list[Breakpoint], text: str | None, at_line: bool) -> None: ...


def _owned(file: File, code: CodeType, by_line: dict[int, Any]) -> list[int]:
    lines = file.codes.lines.get(id(code))
    if lines is None:
        lines = file.codes.lines[id(code)] = frozenset(lines_of(code))
    if len(by_line) < len(lines):
        return [line for line in by_line if line in lines]
    return [line for line in lines if line in by_line]
