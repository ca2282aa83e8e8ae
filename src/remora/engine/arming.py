"""Arming: where breakpoints stand in code objects.

A binding is one (code object, line). Code objects are met at their first PY_START or PY_RESUME, once each; a
code object that holds a line of a breakpoint gets local LINE events, and every other line of it returns DISABLE
at its first visit, so what is left costs nothing.

Setter and callbacks race without harm: a callback records the code object and then looks for breakpoints; the
setter stores the breakpoints and then goes through the record. `_lock` (reentrant: a finalizer of the program
may run anywhere) guards only the arming of one code object.
"""

from __future__ import annotations

import _thread
import sys

from . import monitoring
from .breakpoints import Breakpoint
from .expressions import describe
from .files import OWN_DIRECTORY, File, Paths
from .lines import continuations, lines_of
from .monitoring import DISABLE, LINE, PY_RESUME, PY_START
from .usercode import UserCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from .monitoring import Tool

_getframe = sys._getframe


class Trigger:
    """One breakpoint at one code object: its expressions are compiled for the locals of that code."""

    __slots__ = ("breakpoint", "condition", "log")

    def __init__(self, breakpoint: Breakpoint, code: CodeType) -> None:
        self.breakpoint = breakpoint
        self.condition = breakpoint.condition.bind(code) if breakpoint.condition is not None else None
        self.log = breakpoint.log.bind(code) if breakpoint.log is not None else None


class Binding:
    """What waits on one line of one code object."""

    __slots__ = ("breakpoints", "only_test", "skip", "triggers")

    def __init__(self, breakpoints: tuple[Breakpoint, ...], code: CodeType, line: int) -> None:
        self.breakpoints = breakpoints
        self.triggers = [Trigger(breakpoint, code) for breakpoint in breakpoints]
        self.skip = continuations(code, line)
        # The commonest hot case, one condition and nothing else on the line, is tested in the callback itself.
        self.only_test = self.triggers[0].condition if len(self.triggers) == 1 and not self.skip else None


class Armoury:
    """Finds code objects and keeps the bindings of all files."""

    def __init__(self, user_code: UserCode) -> None:
        self._lock = _thread.RLock()
        self._user_code = user_code
        self.paths = Paths()
        self._by_name: dict[str, File] = {}  # by co_filename
        self._by_path: dict[str, File] = {}
        self.armed: dict[int, dict[int, Binding]] = {}  # by id(code)
        self._tool: Tool | None = None
        self._was_on = False
        self.is_on = False
        self.code_appeared: Callable[[File, CodeType], None] = lambda file, code: None
        self.met: Callable[[CodeType], None] | None = None  # told each code object met, for special places
        self.fired: Callable[[FrameType, list[Breakpoint], str | None], None] = lambda frame, hit, text: None
        self.logged: Callable[[Breakpoint, str, int], None] = lambda breakpoint, text, line: None
        self.broke: Callable[[Breakpoint], None] = lambda breakpoint: None
        self.may_stop: Callable[[], bool] = lambda: True

    # files

    def file_of(self, code: CodeType) -> File:
        return self._by_name.get(code.co_filename) or self._learn(code.co_filename)

    def file_at(self, path: str) -> File:
        """The file a client means by `path`."""
        resolved = self.paths.resolve(path)
        return self._by_path.get(resolved) or self._make(resolved, path)

    def _learn(self, name: str) -> File:
        resolved = self.paths.resolve(name)
        file = self._by_path.get(resolved) or self._make(resolved, name)
        self._by_name[name] = file
        return file

    def _make(self, resolved: str, name: str) -> File:
        is_own = resolved.startswith(OWN_DIRECTORY)
        file = File(resolved, is_own=is_own, is_user=self._user_code.is_user(name, resolved))
        file.codes.on_death = self._died
        return self._by_path.setdefault(resolved, file)

    def reclassify(self) -> None:
        """The rules changed: ask again which files are the user's."""
        for name, file in list(self._by_name.items()):
            file.is_user = self._user_code.is_user(name, file.path)

    # the tool

    def attach(self, tool: Tool) -> None:
        self._tool = tool
        tool.on(PY_START, self._on_start)
        tool.on(PY_RESUME, self._on_start)
        tool.on(LINE, self._line_callback())

    def detach(self) -> None:
        with self._lock:
            tool, self._tool = self._tool, None
            self.is_on = False
            if tool is not None:
                for file in list(self._by_path.values()):
                    for code in file.codes:
                        if id(code) in self.armed:
                            tool.set_local(code, 0)
            self.armed.clear()
            for file in self._by_path.values():
                file.breakpoints = None
                file.codes.clear()
                file.is_recorded = file.is_user and not file.is_own

    def find(self, *, on: bool) -> None:
        """Switch the meeting of code objects on. It stays on until detach, so that the record stays whole."""
        if on and not self.is_on and self._tool is not None:
            self.is_on = True
            if self._was_on:
                monitoring.restart()  # what was disabled in an earlier attachment must be met again
            self._was_on = True

    @property
    def events(self) -> int:
        return PY_START | PY_RESUME if self.is_on else 0

    # callbacks of the finder

    def _on_start(self, code: CodeType, offset: int) -> Any:
        file = self._by_name.get(code.co_filename) or self._learn(code.co_filename)
        if file.is_recorded:
            file.codes.add(code)
            if file.breakpoints is not None:
                if code.co_name == "<module>" or file.breakpoints.waiting:
                    self.code_appeared(file, code)
                self.arm(file, code)
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

    def _visit(self, binding: Binding, frame: FrameType, *, tested: bool = False) -> None:
        if not self.may_stop():
            return
        hit: list[Breakpoint] = []
        text: str | None = None
        for trigger in binding.triggers:
            breakpoint = trigger.breakpoint
            if trigger.condition is not None and not tested:
                try:
                    if not trigger.condition(frame):
                        continue
                except Exception as error:  # boundary: the user's condition
                    told = self._error_text(breakpoint, error)
                    if told is not None:
                        text = told
                        hit.append(breakpoint)
                    continue
            breakpoint.hits += 1
            if breakpoint.hit_test is not None and not breakpoint.hit_test(breakpoint.hits):
                continue
            if trigger.log is not None:
                self.logged(breakpoint, trigger.log(frame), frame.f_lineno)
                continue
            hit.append(breakpoint)
        if hit:
            self.fired(frame, hit, text)

    def _condition_failed(self, binding: Binding, frame: FrameType, error: Exception) -> None:
        if self.may_stop():
            breakpoint = binding.triggers[0].breakpoint
            text = self._error_text(breakpoint, error)
            if text is not None:
                self.fired(frame, [breakpoint], text)

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
        for frame in list(sys._current_frames().values()):
            at: FrameType | None = frame
            seen: set[int] = set()
            while at is not None:
                code = at.f_code
                if id(code) not in seen:
                    seen.add(id(code))
                    if (self._by_name.get(code.co_filename) or self._learn(code.co_filename)) is file:
                        file.codes.add(code)
                at = at.f_back
        for code in file.codes:
            self.arm(file, code)

    def arm(self, file: File, code: CodeType) -> None:
        """Bring one code object up to the breakpoints of its file."""
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
                for line in _owned(file, code, by_line):
                    wanted = by_line[line]
                    kept = old.get(line) if old is not None else None
                    new[line] = (
                        kept
                        if kept is not None and kept.breakpoints == wanted
                        else Binding(wanted, code, line)
                    )
            if not new:
                if old is not None:
                    del self.armed[key]
                    tool.set_local(code, 0)
                return
            self.armed[key] = new
            if old is None or not new.keys() <= old.keys():
                tool.rearm(code, LINE)

    def _died(self, key: int) -> None:
        self.armed.pop(key, None)


def _owned(file: File, code: CodeType, by_line: dict[int, Any]) -> list[int]:
    lines = file.codes.lines.get(id(code))
    if lines is None:
        lines = file.codes.lines[id(code)] = frozenset(lines_of(code))
    if len(by_line) < len(lines):
        return [line for line in by_line if line in lines]
    return [line for line in lines if line in by_line]
