"""Exception filters: which exceptions stop the program.

* `raised`: RAISE, at the first frame of interest the exception comes to. The event comes again in every frame
  it crosses; what its traceback already holds tells the first from the others, so nothing is remembered.
* `userUnhandled`: PY_UNWIND, when it leaves user code for other code for the first time.
* `uncaught`: no event at all. `sys.excepthook` is chained; threads end in `threading`'s `invoke_excepthook`
  and event loops in `call_exception_handler`, and a PY_START on just these two code objects stops post
  mortem.

Not errors: StopIteration, StopAsyncIteration, GeneratorExit, SystemExit with 0 or None; and, as uncaught or
unhandled, KeyboardInterrupt and a task's CancelledError: that is how programs and tasks are ended.
"""

from __future__ import annotations

import _thread
import sys
import threading

from .expressions import Expression, describe
from .monitoring import PY_START, PY_UNWIND, RAISE
from .stack import places_of
from .stops import Stop, StopReason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FrameType, TracebackType
    from typing import Any

    from .arming import Armoury
    from .follower import FollowerEvents
    from .stack import Place
    from .stepping import Stepping
    from .stopping import World
    from .threads import Threads

_getframe = sys._getframe
_get_ident = _thread.get_ident

FILTERS = ("raised", "uncaught", "userUnhandled")


class ExceptionFilter:
    """`name` is one of raised, uncaught, userUnhandled; a condition sees the exception as `exc`."""

    __slots__ = ("condition", "name")

    def __init__(self, name: str, condition: str | None = None) -> None:
        self.name = name
        self.condition = condition

    def __repr__(self) -> str:
        return f"ExceptionFilter({self.name!r}, {self.condition!r})"


def post_mortem(exc: BaseException) -> None:
    """Called for an uncaught exception; a PY_START on this very function stops, inside a callback.

    Inside one, because events do not fire there: what the session evaluates at the stop is not debugged
    itself.
    """


class Exceptions:
    """The filters as they are set."""

    def __init__(
        self,
        world: World,
        threads: Threads,
        armoury: Armoury,
        stepping: Stepping,
        events: FollowerEvents,
        is_interesting: Callable[[CodeType], bool],
        is_foundation: Callable[[CodeType], bool],
    ) -> None:
        self._world = world
        self._threads = threads
        self._armoury = armoury
        self._stepping = stepping
        self._events = events
        self._is_interesting = is_interesting
        self._is_foundation = is_foundation
        self._filters: dict[str, Expression | None] = {}
        self._told: BaseException | None = None  # the last uncaught one: the runner and the hook both report
        self._previous_hook: Callable[..., Any] = sys.__excepthook__
        self._hook: Callable[..., Any] | None = None
        self._watched: list[CodeType] = []

    def set(self, filters: Sequence[ExceptionFilter]) -> None:
        """Replace the filters. Raises ValueError (unknown name, ill-formed condition); then nothing
        changes.
        """
        compiled: dict[str, Expression | None] = {}
        for item in filters:
            if item.name not in FILTERS:
                raise ValueError(
                    f"there is no exception filter {item.name!r}; there are {', '.join(FILTERS)}"
                )
            condition = item.condition.strip() if item.condition else ""
            try:
                compiled[item.name] = Expression(condition) if condition else None
            except SyntaxError as error:
                raise ValueError(f"the condition of the filter {item.name!r} is wrong: {error.msg}") from None
        self._filters = compiled
        if "uncaught" in compiled:
            self._watch_uncaught()
        else:
            self.unwatch()

    @property
    def events(self) -> int:
        """Global events of the finder that the filters need."""
        events = RAISE if "raised" in self._filters else 0
        return events | (PY_UNWIND if "userUnhandled" in self._filters else 0)

    def clear(self) -> None:
        self._filters = {}
        self._told = None
        self.unwatch()

    # raised, userUnhandled: callbacks of the finder

    def on_raise(self, code: CodeType, offset: int, exc: BaseException) -> None:
        if "raised" not in self._filters or is_quiet(exc) or not self._is_interesting(code):
            return
        traceback = exc.__traceback__
        below = traceback.tb_next if traceback is not None else None
        while below is not None:
            if self._is_interesting(below.tb_frame.f_code):
                return  # it has been told there
            below = below.tb_next
        self._stop(_getframe(2), exc, "raised")

    def unwind_callback(self) -> Callable[[CodeType, int, BaseException], None]:
        getframe = _getframe
        leaves_file = self._leaves_file

        def on_unwind(code: CodeType, offset: int, exc: BaseException) -> None:
            frame = getframe(2)
            caller = frame.f_back
            # Within one file nothing is left, and that is the commonest case: the one that has to be quick.
            if caller is None or caller.f_code.co_filename is not code.co_filename:
                leaves_file(code, exc, frame, caller)

        return on_unwind

    def _leaves_file(
        self, code: CodeType, exc: BaseException, frame: FrameType, caller: FrameType | None
    ) -> None:
        file_of = self._armoury.file_of
        if "userUnhandled" not in self._filters or not file_of(code).is_user:
            return
        is_last = caller is None or self._is_foundation(caller.f_code)
        if caller is not None and not is_last and file_of(caller.f_code).is_user:
            return
        if is_quiet(exc) or is_ending(exc) or (is_last and "uncaught" in self._filters):
            return
        is_user = True
        below = exc.__traceback__
        while below is not None:
            was_user, is_user = is_user, file_of(below.tb_frame.f_code).is_user
            if is_user and not was_user:
                return  # it has left user code before, further in
            below = below.tb_next
        self._stop(frame, exc, "userUnhandled")

    def _stop(
        self, frame: FrameType, exc: BaseException, name: str, places: list[Place] | None = None
    ) -> None:
        if _get_ident() in self._threads.own:
            return
        filters = self._filters  # another set may come at any time
        if name not in filters:
            return
        text = describe(exc)
        condition = filters[name]
        if condition is not None:
            try:
                if not condition.evaluate(frame, {"exc": exc}):
                    return
            except Exception as error:  # boundary: the user's condition
                text = f"{text} (the filter's condition {condition.text!r} failed: {describe(error)})"
        stop = Stop(
            self._threads.id_of(_get_ident()),
            StopReason.EXCEPTION,
            "Exception",
            text,
            exception=exc,
            filter=name,
            post_mortem=places is not None,
        )
        self._world.stop_here(frame, stop, at_line=False, post_mortem=places)

    # uncaught

    def uncaught(self, exc: BaseException) -> None:
        """Stop post mortem on this thread if the filter says so. Returns when resumed; never raises."""
        if "uncaught" in self._filters and exc is not self._told:
            self._told = exc
            post_mortem(exc)

    def _watch_uncaught(self) -> None:
        if self._hook is None:
            previous = getattr(sys, "excepthook", None) or sys.__excepthook__  # a program may delete it

            # Each hook of ours keeps the one before it: the program may have chained an earlier one.
            def hook(kind: type[BaseException], exc: BaseException, traceback: TracebackType | None) -> Any:
                self.uncaught(exc)
                return previous(kind, exc, traceback)

            self._hook = sys.excepthook = hook
            self._previous_hook = previous
        self._watch(post_mortem.__code__, self._in_post_mortem)
        maker = threading._make_invoke_excepthook  # type: ignore[attr-defined]
        for const in maker.__code__.co_consts:
            if getattr(const, "co_name", None) == "invoke_excepthook":
                self._watch(const, self._in_thread)
        for module, _, qualname, door in self._reports():
            at: Any = sys.modules.get(module)
            for name in qualname.split("."):
                at = getattr(at, name, None)
            code = getattr(at, "__code__", None)
            if code is not None:
                self._watch(code, door)
            else:
                self._armoury.met = self._met

    def unwatch(self) -> None:
        self._armoury.met = None
        if self._hook is not None:
            if getattr(sys, "excepthook", None) is self._hook:
                sys.excepthook = self._previous_hook
            # Else the program has chained it; it stays, and does nothing but call the one before.
            self._hook = None
        with self._world.lock:
            for code in self._watched:
                self._stepping.doors.pop(id(code), None)
                self._events.want_local("uncaught", code, 0)
            self._watched.clear()

    def _watch(self, code: CodeType, door: Callable[[FrameType], None]) -> None:
        with self._world.lock:
            if id(code) not in self._stepping.doors:
                self._watched.append(code)
                self._stepping.doors[id(code)] = (code, door)
                self._events.want_local("uncaught", code, PY_START)

    def _reports(self) -> tuple[tuple[str, str, str, Callable[[FrameType], None]], ...]:
        """Who in the standard library reports what nobody has handled: module, end of file, name, door."""
        return (
            ("asyncio.base_events", "base_events.py", "BaseEventLoop.call_exception_handler", self._in_loop),
            ("traceback", "traceback.py", "print_exc", self._in_report),
        )

    def _met(self, code: CodeType) -> None:
        """One of them was not imported yet: find it while its module begins."""
        if code.co_name != "<module>":
            return
        for _, end, qualname, door in self._reports():
            if code.co_filename.endswith(end):
                self._watch_in(code, qualname, door)

    def _watch_in(self, module: CodeType, qualname: str, door: Callable[[FrameType], None]) -> None:
        pending = [module]
        while pending:
            for const in pending.pop().co_consts:
                if isinstance(const, type(module)):
                    if const.co_qualname == qualname:
                        self._watch(const, door)
                        return
                    pending.append(const)

    def _in_post_mortem(self, frame: FrameType) -> None:
        self._dead(frame.f_locals["exc"])

    def _in_thread(self, frame: FrameType) -> None:
        exc = sys.exception()
        if exc is not None and not isinstance(exc, SystemExit):  # threading ignores it too
            self._dead(exc)

    def _in_report(self, frame: FrameType) -> None:
        """traceback.print_exc: what multiprocessing calls when the work of a process has failed."""
        caller = frame.f_back
        exc = sys.exception()
        if caller is not None and exc is not None and caller.f_code.co_qualname == "BaseProcess._bootstrap":
            self._dead(exc)

    def _in_loop(self, frame: FrameType) -> None:
        context = frame.f_locals.get("context")
        exc = context.get("exception") if isinstance(context, dict) else None
        if isinstance(exc, BaseException) and not isinstance(exc, SystemExit):
            self._dead(exc)

    def _dead(self, exc: BaseException) -> None:
        if is_quiet(exc) or is_ending(exc):
            return
        places = places_of(exc.__traceback__)
        if places:
            self._stop(places[0][0], exc, "uncaught", places)


def is_quiet(exc: BaseException) -> bool:
    """Part of how the language works, or an orderly exit."""
    if isinstance(exc, SystemExit):
        return exc.code is None or exc.code == 0
    return isinstance(exc, (StopIteration, StopAsyncIteration, GeneratorExit))


def is_ending(exc: BaseException) -> bool:
    """Somebody ends the program or a task; nobody forgot to handle an error."""
    if isinstance(exc, KeyboardInterrupt):
        return True
    exceptions = sys.modules.get("asyncio.exceptions")
    cancelled = getattr(exceptions, "CancelledError", None)
    return cancelled is not None and isinstance(exc, cancelled)
