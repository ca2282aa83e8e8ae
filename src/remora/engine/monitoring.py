"""`sys.monitoring`, and the only module that touches it (PEP 669; CPython Python/instrumentation.c).

Two tools are taken. DISABLE is remembered per tool and place, so what breakpoints switch off must not be
what a step needs, and what a step switches on must not slow a hot function afterwards:

* the *finder* meets code objects for the first time and stands on the lines of breakpoints;
* the *follower* steps and stops. It never disables anything in user code, and is off but for a step or stop.

The finder has the higher id and CPython asks the highest first, so a breakpoint wins over the end of a step.

Every callback runs behind a guard: an exception that escaped would land in the program. Only what a signal
handler of the program raised while its thread was parked is passed on (`Passing`): it belongs to the program.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

_monitoring = sys.monitoring
_events = _monitoring.events

DISABLE = _monitoring.DISABLE

NONE = 0
PY_START = _events.PY_START
PY_RESUME = _events.PY_RESUME
PY_THROW = _events.PY_THROW
PY_RETURN = _events.PY_RETURN
PY_YIELD = _events.PY_YIELD
PY_UNWIND = _events.PY_UNWIND
LINE = _events.LINE
INSTRUCTION = _events.INSTRUCTION
RAISE = _events.RAISE
JUMP = _events.JUMP
# 3.14 split BRANCH in two (gh-122548); the bits of the others moved too, so names only.
BRANCHES: tuple[int, ...] = (
    (_events.BRANCH_LEFT, _events.BRANCH_RIGHT)  # type: ignore[attr-defined,unused-ignore]
    if hasattr(_events, "BRANCH_LEFT")
    else (_events.BRANCH,)
)
BRANCH = sum(BRANCHES)
LOCAL_UNWIND = sys.version_info >= (3, 15)  # before, PY_UNWIND can be had for all code or none

NAME = "remora"
_ORDER = (0, 5, 3, 4, 2, 1)  # debugger; optimizer (unused by CPython); free; free; profiler; coverage


class Passing(BaseException):
    """Carries an exception of the program through a callback of ours."""

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception


class Errors:
    """What went wrong inside callbacks: the last one, how many, and whom to tell."""

    __slots__ = ("count", "last", "report")

    def __init__(self) -> None:
        self.count = 0
        self.last: BaseException | None = None
        self.report: Callable[[BaseException], None] | None = None

    def note(self, error: BaseException) -> None:
        self.count += 1
        self.last = error
        report = self.report
        if report is not None and not sys.is_finalizing():
            try:
                report(error)
            except Exception as another:  # boundary: the reporter of errors must not make one
                self.last = another


errors = Errors()


def guarded(callback: Callable[..., Any], arguments: int) -> Callable[..., Any]:
    """Wrap `callback` so that nothing of ours escapes. The frame concerned is `sys._getframe(2)` inside
    it.
    """
    note = errors.note
    passing = Passing
    broken = Exception

    if arguments == 2:

        def guard(code: CodeType, where: int) -> Any:
            try:
                return callback(code, where)
            except passing as carried:
                pending = carried.exception
            except broken as error:
                try:  # noqa: SIM105  # suppress() would be one call more
                    note(error)
                except broken:
                    pass  # no room for a call: the program is at its recursion limit
                return None
            raise pending
    else:

        def guard(code: CodeType, where: int, value: Any) -> Any:  # type: ignore[misc]
            try:
                return callback(code, where, value)
            except passing as carried:
                pending = carried.exception
            except broken as error:
                try:  # noqa: SIM105  # suppress() would be one call more
                    note(error)
                except broken:
                    pass  # no room for a call: the program is at its recursion limit
                return None
            raise pending

    return guard


_ARGUMENTS = {PY_START: 2, PY_RESUME: 2, LINE: 2, INSTRUCTION: 2}  # the others: code, offset, value


class Tool:
    """One tool id of this interpreter, with its callbacks and events.

    Any thread may free it while others use it: what they ask for from then on is not done.
    """

    __slots__ = ("_callbacks", "_events", "id", "is_free")

    def __init__(self, number: int) -> None:
        self.id = number
        self.is_free = False
        self._events = NONE
        self._callbacks: list[int] = []

    def on(self, event: int, callback: Callable[..., Any]) -> None:
        _monitoring.register_callback(self.id, event, guarded(callback, _ARGUMENTS.get(event, 3)))
        self._callbacks.append(event)

    def set_events(self, events: int) -> None:
        """Set the global events."""
        if events != self._events and not self.is_free:
            self._events = events
            try:
                _monitoring.set_events(self.id, events)
            except ValueError:
                if not self.is_free:
                    raise

    def set_local(self, code: CodeType, events: int) -> None:
        if not self.is_free:
            try:
                _monitoring.set_local_events(self.id, code, events)
            except ValueError:
                if not self.is_free:
                    raise

    def rearm(self, code: CodeType, events: int) -> None:
        """Set local events so that places which were disabled fire again (the same set twice does
        nothing).
        """
        self.set_local(code, NONE)
        self.set_local(code, events)

    def free(self) -> None:
        self.is_free = True
        _monitoring.set_events(self.id, NONE)
        for event in self._callbacks:
            _monitoring.register_callback(self.id, event, None)
        _monitoring.free_tool_id(self.id)


def restart() -> None:
    """Forget every DISABLE, of all tools: for what toggling cannot reach."""
    _monitoring.restart_events()


def take() -> tuple[Tool, Tool, str | None]:
    """Take two tool ids: (finder, follower, a warning to show or None).

    Raises RuntimeError when fewer than two of the six are free; nothing is held then.
    """
    free = [number for number in _ORDER if _monitoring.get_tool(number) is None][:2]
    if len(free) < 2:
        holders = ", ".join(f"{n}: {_monitoring.get_tool(n)}" for n in range(6) if _monitoring.get_tool(n))
        raise RuntimeError(
            f"sys.monitoring has no two free tool ids left ({holders}); stop one of these tools"
        )
    first, second = sorted(free)
    warning = None
    if 0 not in free:
        warning = (
            f"another debugger ({_monitoring.get_tool(0)}) holds sys.monitoring's debugger id; "
            f"remora uses ids {first} and {second} beside it"
        )
    _monitoring.use_tool_id(first, NAME)
    try:
        _monitoring.use_tool_id(second, NAME)
    except BaseException:
        _monitoring.free_tool_id(first)
        raise
    return Tool(second), Tool(first), warning
