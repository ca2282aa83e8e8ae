"""The Inspector: everything a session can look at, run or change in a stopped program.

Threads: each method runs on the thread the engine chose (`Engine.submit`), normally the stopped one the
handle belongs to. Handles are numbers counted up for the whole session, never reused; `forget()` makes all
but the source handles stale.
"""

from __future__ import annotations

from remora.values.answers import (
    Completion,
    ExceptionDetails,
    FrameDescription,
    Result,
    Scope,
    Variable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

    from remora.engine import StackEntry


class Inspector:
    """Looks at a stopped program. One per session.

    Every method but `describe_frame`, `source` and `forget` may run the program's code, and raises
    StaleHandle for a handle of before the last `forget()`. What the program's code raises never comes out
    of a look; evaluate, set_variable and set_expression report it as EvaluationFailed. `Interrupted` (the
    engine's) comes through everywhere except where a look can go on without the slow object.
    """

    def __init__(self) -> None: ...

    def stopped(
        self,
        thread_id: int,
        *,
        returned: tuple[str, object] | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Note what the stop of this thread brought; call it once per stop, before `frame_handle`.

        `returned` becomes the 'Return value' scope of the thread's frame 0 (and `__return__` in its
        expressions), `exception` the variable `__exception__` there.
        """
        raise NotImplementedError

    def frame_handle(self, thread_id: int, index: int, entry: StackEntry) -> int:
        """Give the handle of a frame (DAP's frameId); the same frame gets the same one until `forget()`."""
        raise NotImplementedError

    def scopes(self, frame_id: int) -> list[Scope]:
        """List Locals, Closure, Globals and Return value, those that are there."""
        raise NotImplementedError

    def variables(
        self, handle: int, *, start: int = 0, count: int = 0, filter: str | None = None, hex: bool = False
    ) -> list[Variable]:
        """List children of a scope, a variable or a result; `count` 0 means all.

        Contents (items of a list, entries of a dict, members of a set) are the *indexed* children whatever
        their names look like, so that clients page them; attributes are the *named* ones and come first
        when `filter` is None.
        """
        raise NotImplementedError

    def evaluate(self, expression: str, frame_id: int | None, context: str, *, hex: bool = False) -> Result:
        """Run an expression or statements in a frame, or in `__main__`'s globals when `frame_id` is None.

        `context` is DAP's: watch, repl, hover, variables, clipboard; hover never runs the program's code.
        Raises EvaluationFailed.
        """
        raise NotImplementedError

    def set_variable(self, handle: int, name: str, value: str, *, hex: bool = False) -> Result:
        """Give the child `name` of `handle` the value of the expression `value`. Raises EvaluationFailed."""
        raise NotImplementedError

    def set_expression(
        self, expression: str, value: str, frame_id: int | None, *, hex: bool = False
    ) -> Result:
        """Assign the value of `value` to the target `expression`. Raises EvaluationFailed."""
        raise NotImplementedError

    def completions(self, text: str, column: int, line: int, frame_id: int | None) -> list[Completion]:
        """Propose what may stand at `column` (0-based, in characters) of line `line` (0-based) of `text`."""
        raise NotImplementedError

    def exception_info(self, exception: BaseException) -> ExceptionDetails:
        """Take an exception apart: chain, groups, notes, stack trace."""
        raise NotImplementedError

    def describe_frame(self, entry: StackEntry) -> FrameDescription:
        """Name a frame and say where its source is. Runs no user code, and is cheap."""
        raise NotImplementedError

    def register_source(self, code: CodeType, text: str) -> None:
        """Remember the text that `code` (and the code inside it) was compiled from, for `source()`."""
        raise NotImplementedError

    def source(self, handle: int) -> str:
        """Give the text behind a source handle; it survives `forget()`. Raises StaleHandle."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop every handle but those of sources: the program runs on."""
        raise NotImplementedError
